"""The parts of a training: a group of steps, and the end of an epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from job.errors import NonFiniteError, TrainingError
from job.problems.base import Examples, Windows
from job.problems.training_batches import Batch
from job.spec.training_section import TrainingSpec
from job.training.agreement import Agreement
from job.training.compiled_loop import CompiledLoop
from job.training.early_stopping import reaches_plateau, should_stop
from job.training.saved_state import StateKeeper
from job.training.state import OnRows, TrainingState
from job.training.validation import Measure, validate


def check_validation(spec: TrainingSpec, examples: Examples | Windows) -> None:
    """Raise `TrainingError` if the best epoch is asked for, but there are no validation examples."""
    if spec.keeps_best and not len(examples):
        raise TrainingError("the best epoch cannot be found: the problem has no validation examples")


def first_state(loop: CompiledLoop, keeper: StateKeeper, on_rows: OnRows = lambda _: None) -> TrainingState:
    """Return the state of the last checkpoint, or that of a training which begins.

    Args:
        loop: the training loop.
        keeper: reads the checkpoint.
        on_rows: see `TrainingState`.

    Raises:
        TrainingError: another process of the cluster has another one.
    """
    state = keeper.resume() or TrainingState.start(loop.statistics)
    _check_same_step(state, keeper.agreement)
    state.on_rows = on_rows
    return state


def _check_same_step(state: TrainingState, agreement: Agreement) -> None:
    """Raise `TrainingError` in every process if one has resumed from another step than the chief."""
    (step,) = agreement.of_chief([float(state.step)])
    (differs,) = agreement.of_any([round(step) != state.step])
    if differs:
        raise TrainingError(
            f"this process would resume from step {state.step}, and the first one from step {round(step)}: "
            "all processes of the cluster must share the output directory"
        )


def train_group(loop: CompiledLoop, state: TrainingState, group: list[Batch], agreement: Agreement) -> None:
    """Train on a group of batches of one shape, together with the processes of an agreement.

    Raises:
        NonFiniteError: the loss or the gradient norm of a step is not finite.
    """
    began = time.perf_counter()
    with agreement.stepping():
        values = loop.train_batches(group)
    seconds = time.perf_counter() - began
    state.add_call(seconds, steps=len(group), examples=sum(len(source) for source, _ in group))
    for quantity in ("loss", "gradient_norm"):
        for step, value in enumerate(values[quantity], state.step + 1):
            if not math.isfinite(value):
                raise NonFiniteError(step, quantity.replace("_", " "))
    state.add_steps(values)


def validate_epoch(
    loop: CompiledLoop,
    state: TrainingState,
    spec: TrainingSpec,
    examples: Examples | Windows,
    measure: Measure | None,
    keeper: StateKeeper,
) -> None:
    """Validate at the end of an epoch, and set `state.over` after the last one.

    Args:
        loop: the training loop.
        state: the state of training.
        spec: how to train.
        examples: the validation examples.
        measure: measures the metric that decides which epoch is the best; None if that is the loss.
        keeper: writes checkpoints meanwhile, and knows what other processes have measured.

    Raises:
        NonFiniteError: a score is not finite.
        Stopped: a stop was requested; a checkpoint is written.
    """
    agreement = keeper.agreement
    before_part = partial(keeper.keep, state)
    losses = validate(loop.validate, examples, before_part, widths=loop.widths, heads=loop.heads)
    scores = agreement.scores(losses)
    metric = agreement.scores(_decoded(loop, spec, measure, lambda: keeper.keep(state)))
    _end_epoch(loop, state, spec, scores, metric)


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


def keep_weights(loop: CompiledLoop, state: TrainingState) -> None:
    """Give the model the weights of the best epoch, if the spec asks for them, or else those to evaluate."""
    if state.best_weights is not None:
        loop.model.set_weights(state.best_weights)
    else:
        loop.keep_evaluated_weights()
