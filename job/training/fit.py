"""Fit one model: epochs of compiled steps, validation after each, early stopping, checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from job.errors import NonFiniteError, TrainingError
from job.problems.base import Examples, Problem, Windows
from job.problems.training_batches import Batch, training_batches
from job.process.stopping import Stop
from job.results.job_result import Progress
from job.spec.training_section import TrainingSpec
from job.training.batch_groups import CallLimits, batch_groups
from job.training.checkpoints import Checkpoints
from job.training.compiled_loop import CompiledLoop
from job.training.early_stopping import reaches_plateau, should_stop
from job.training.fit_result import FitResult
from job.training.saved_state import StateKeeper
from job.training.state import TrainingState
from job.training.validation import Measure, validate


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
    measure: Measure | None = None,
    limits: CallLimits = CallLimits(),
) -> FitResult:
    """Fit a model to a problem, on all devices of the `tf.distribute` strategy in scope.

    Args:
        loop: the model's training loop; it ends with the weights of the best epoch if the spec asks for them.
        problem: the source of the batches.
        spec: how to train; the loop was made for it.
        validation: examples to validate after each epoch; may be empty if no epoch has to be the best.
        on_progress: called after each call of the compiled loop.
        checkpoints: checkpoints to resume from and to write; None for neither.
        stop: requests to stop, checked after each call of the compiled loop.
        in_background: called once, in a thread, while steps run: these need no Python, and compilation does.
        measure: measures `spec.best_by` after each epoch; None if that is the loss.
        limits: limits on one call of the compiled loop.

    Raises:
        NonFiniteError: the loss, the gradient norm or a metric of validation is not finite; names the step.
        TrainingError: the spec asks for the best epoch, but there are no validation examples.
        Stopped: a stop was requested; a checkpoint is written.
        OSError: a checkpoint cannot be written.
    """
    if spec.keeps_best and not len(validation):
        raise TrainingError("the best epoch cannot be found: the problem has no validation examples")
    batches = training_batches(problem, spec)
    total, step_examples = batches.steps * spec.epochs, batches.examples / batches.steps
    keeper = StateKeeper(checkpoints, stop or Stop(), loop.variables)
    state = keeper.resume() or TrainingState.start(loop.statistics)
    earlier_seconds, resumed_from = (state.seconds, state.step) if state.step else (0.0, None)
    with keeper.stop.deferring_signals(), ThreadPoolExecutor(1) as thread:
        background = None
        while not state.over:
            for group in batch_groups(batches, state, lambda: limits.steps(state)):
                _train_group(loop, state, group)
                background = background or thread.submit(loop.compile_validation, validation, in_background)
                state.record_rows(batches.steps)
                on_progress(state.progress(total, step_examples, spec.epochs, settled=background.done()))
                keeper.keep(state)
            scores = validate(loop.validate, validation, lambda: keeper.keep(state))
            if measure and background:
                background.result()  # compiles what the measurement calls
            decoded = _decoded(loop, spec, measure, lambda: keeper.keep(state))
            _end_epoch(loop, state, spec, scores, decoded)
            keeper.keep(state, epoch_ended=True)
        if state.step < total:  # stopped early: these are all of the job's steps
            on_progress(state.progress(state.step, step_examples, state.epochs))
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


def _decoded(
    loop: CompiledLoop, spec: TrainingSpec, measure: Measure | None, before_part: Callable[[], None]
) -> dict[str, float]:
    """Return the metric of the best epoch, measured now with the weights that are evaluated."""
    if measure is None:
        return {}
    with loop.evaluated_weights():
        measure.take_weights()
    return {spec.best_by: measure.value(before_part)}  # a checkpoint may be written meanwhile


def _end_epoch(
    loop: CompiledLoop,
    state: TrainingState,
    spec: TrainingSpec,
    scores: dict[str, float],
    decoded: dict[str, float],
) -> None:
    """Record an epoch's validation, and set `state.over` after the last epoch.

    Raises:
        NonFiniteError: a score is not finite.
    """
    if not all(map(math.isfinite, scores.values())):
        raise NonFiniteError(state.step, "validation loss")
    for name, found in decoded.items():
        if not math.isfinite(found):
            raise NonFiniteError(state.step, f"validation {name}")
    state.end_epoch(scores, decoded)
    if spec.optimizer.schedule == "plateau" and reaches_plateau(spec.optimizer, state, scores["loss"]):
        loop.reduce_learning_rate()
    early = False
    if spec.keeps_best:
        with loop.evaluated_weights():
            early = should_stop(spec, state, {**scores, **decoded}[spec.best_by], loop.model)
    state.over = early or state.epochs == spec.epochs
