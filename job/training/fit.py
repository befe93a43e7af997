"""Fit one model: epochs of compiled steps, validation after each, early stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from job.errors import NonFiniteError
from job.problems.base import Examples, Problem, Windows
from job.process.stopping import Stop
from job.results.job_result import Progress
from job.spec.training_section import TrainingSpec
from job.training.batch_groups import Batch, CallLimits, batch_groups
from job.training.checkpoints import Checkpoints
from job.training.compiled_loop import CompiledLoop, steps_per_epoch
from job.training.early_stopping import reaches_plateau, should_stop
from job.training.fit_result import FitResult
from job.training.saved_state import StateKeeper
from job.training.state import TrainingState
from job.training.validation import validate


def fit(
    loop: CompiledLoop,
    problem: Problem,
    spec: TrainingSpec,
    validation: Examples | Windows,
    on_progress: Callable[[Progress], None] = lambda _: None,
    *,
    checkpoints: Checkpoints | None = None,
    stop: Stop | None = None,
    in_background: Callable[[], object] = lambda: None,
    limits: CallLimits = CallLimits(),
) -> FitResult:
    """Fit a model to a problem, on all devices of the `tf.distribute` strategy in scope.

    Args:
        loop: the model's training loop; early stopping leaves the model with its best epoch's weights.
        problem: the source of the batches.
        spec: how to train; the loop was made for it.
        validation: examples to validate after each epoch; may be empty without early stopping.
        on_progress: called after each call of the compiled loop.
        checkpoints: checkpoints to resume from and to write; None for neither.
        stop: requests to stop, checked after each call of the compiled loop.
        in_background: called once, in a thread, while steps run: these need no Python, and compilation does.
        limits: limits on one call of the compiled loop.

    Raises:
        NonFiniteError: the loss, the gradient norm or the validation loss is not finite; names the step.
        Stopped: a stop was requested; a checkpoint is written.
        OSError: a checkpoint cannot be written.
    """
    epoch_steps = steps_per_epoch(problem, spec)
    keeper = StateKeeper(checkpoints, stop or Stop(), loop.variables)
    state = keeper.resume() or TrainingState.start(loop.statistics)
    earlier_seconds, resumed_from = (state.seconds, state.step) if state.step else (0.0, None)
    with keeper.stop.deferring_signals(), ThreadPoolExecutor(1) as thread:
        background = None
        while not state.over:
            for group in batch_groups(problem, spec, state, lambda: limits.steps(state)):
                _train_group(loop, state, group)
                background = background or thread.submit(loop.compile_validation, validation, in_background)
                state.record_rows(epoch_steps)
                on_progress(state.progress(epoch_steps * spec.epochs, spec.step_examples))
                keeper.keep(state)
            _end_epoch(loop, state, spec, validate(loop.validate, validation, lambda: keeper.keep(state)))
            keeper.keep(state, epoch_ended=True)
        if state.step < epoch_steps * spec.epochs:  # stopped early: these are all of the job's steps
            on_progress(state.progress(state.step, spec.batch_size))
        if background:
            background.result()
    if state.best_weights is not None:
        loop.model.set_weights(state.best_weights)
    else:
        loop.keep_evaluated_weights()
    return FitResult.of(state, spec, earlier_seconds=earlier_seconds, resumed_from_step=resumed_from)


def _train_group(loop: CompiledLoop, state: TrainingState, group: list[Batch]) -> None:
    """Train on a group of batches of one shape.

    Raises:
        NonFiniteError: the loss or the gradient norm of a step is not finite.
    """
    began = time.perf_counter()
    values = loop.train_batches(group)
    seconds = time.perf_counter() - began
    state.add_call(seconds, steps=len(group), examples=sum(len(source) for source, _ in group))
    for quantity in ("loss", "gradient_norm"):
        for step, value in enumerate(values[quantity], state.step + 1):
            if not math.isfinite(value):
                raise NonFiniteError(step, quantity.replace("_", " "))
    state.add_steps(values)


def _end_epoch(
    loop: CompiledLoop, state: TrainingState, spec: TrainingSpec, scores: dict[str, float]
) -> None:
    """Record an epoch's validation, and set `state.over` after the last epoch.

    Raises:
        NonFiniteError: a score is not finite.
    """
    if not all(map(math.isfinite, scores.values())):
        raise NonFiniteError(state.step, "validation loss")
    state.end_epoch(scores)
    if spec.optimizer.schedule == "plateau" and reaches_plateau(spec.optimizer, state, scores["loss"]):
        loop.reduce_learning_rate()
    early = False
    if spec.early_stopping is not None:
        with loop.evaluated_weights():
            early = should_stop(spec.early_stopping, state, scores["loss"], loop.model)
    state.over = early or state.epochs == spec.epochs
