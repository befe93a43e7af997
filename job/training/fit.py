"""Fit one model: epochs of compiled steps, validation after each, early stopping, checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from job.problems.base import Examples, Problem, Windows
from job.problems.training_batches import training_batches
from job.process.stopping import Stop
from job.results.job_result import Progress
from job.spec.training_section import TrainingSpec
from job.training.agreement import ALONE, Agreement
from job.training.batch_groups import CallLimits, batch_groups
from job.training.checkpoints import Checkpoints
from job.training.compiled_loop import CompiledLoop
from job.training.epochs import check_validation, first_state, keep_weights, train_group, validate_epoch
from job.training.fit_result import FitResult
from job.training.saved_state import StateKeeper
from job.training.state import OnRows, TrainingState
from job.training.validation import Measure


def fit(
    loop: CompiledLoop,
    problem: Problem,
    spec: TrainingSpec,
    validation: Examples | Windows,
    on_progress: Callable[[Progress], None] = lambda _: None,
    *,
    on_rows: OnRows = lambda _: None,
    checkpoints: Checkpoints | None = None,
    stop: Stop | None = None,
    in_background: Callable[[], object] = lambda: None,
    measure: Measure | None = None,
    agreement: Agreement = ALONE,
    limits: CallLimits = CallLimits(),
) -> FitResult:
    """Fit a model to a problem, on all devices of the `tf.distribute` strategy in scope.

    Args:
        loop: the model's training loop; it ends with the weights of the best epoch if the spec asks for them.
        problem: the source of the batches.
        spec: how to train; the loop was made for it.
        validation: examples to validate after each epoch; may be empty if no epoch has to be the best.
        on_progress: called after each call of the compiled loop.
        on_rows: called with all rows of the history when there are more, and after each validation.
        checkpoints: checkpoints to resume from and to write; None for neither.
        stop: requests to stop, checked after each call of the compiled loop.
        in_background: called once, in a thread, while steps run: these need no Python, and compilation does.
        measure: measures `spec.best_by` after each epoch; None if that is the loss.
        agreement: what this process decides together with others that train the same model.
        limits: limits on one call of the compiled loop.

    Raises:
        NonFiniteError: the loss, the gradient norm or a metric of validation is not finite; names the step.
        TrainingError: the spec asks for the best epoch, but there are no validation examples; or another
            process of the cluster would resume from another step.
        Stopped: a stop was requested; a checkpoint is written.
        OSError: a checkpoint cannot be written.
    """
    check_validation(spec, validation)
    batches = training_batches(problem, spec)
    total, step_examples = batches.steps * spec.epochs, batches.examples / batches.steps
    keeper = StateKeeper(checkpoints, stop or Stop(), loop.variables, agreement)
    state = first_state(loop, keeper, on_rows)
    earlier_seconds, resumed_from = (state.seconds, state.step) if state.step else (0.0, None)
    with keeper.stop.deferring_signals(), ThreadPoolExecutor(1) as thread:
        background, state.call_steps = None, limits.steps(state)
        while not state.over:
            for group in batch_groups(batches, state, lambda: state.call_steps):
                train_group(loop, state, group, agreement)
                background = background or thread.submit(loop.compile_validation, validation, in_background)
                state.record_rows(batches.steps)
                on_progress(state.progress(total, step_examples, spec.epochs, settled=background.done()))
                keeper.keep(state)
                state.call_steps = round(agreement.of_chief([limits.steps(state)])[0])
            if measure and background:
                background.result()  # compiles what the measurement calls
            validate_epoch(loop, state, spec, validation, measure, keeper)
            keeper.keep(state, epoch_ended=True)
        _report_early_end(state, total, step_examples, on_progress)
        if background:
            background.result()
    keep_weights(loop, state)
    return FitResult.of(state, spec, earlier_seconds=earlier_seconds, resumed_from_step=resumed_from)


def _report_early_end(
    state: TrainingState, total: int, step_examples: float, on_progress: Callable[[Progress], None]
) -> None:
    """Report that the steps of a training that was stopped early are all of the job's steps."""
    if state.step < total:
        on_progress(state.progress(state.step, step_examples, state.epochs))
