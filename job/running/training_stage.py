"""The training stage of a job: fit its model with checkpoints."""

from __future__ import annotations

from collections.abc import Callable

from job.problems.base import Examples, Problem, Windows
from job.process.stopping import Stop
from job.results.job_result import Progress
from job.running.live_history import LiveHistory
from job.running.model_cache import CompiledModel
from job.running.task import Task
from job.running.validation_metric import measure_for
from job.training.agreement import agreement_for
from job.training.checkpoints import Checkpoints
from job.training.fit import fit
from job.training.fit_result import FitResult


def train(
    task: Task,
    problem: Problem,
    validation: Examples | Windows,
    compiled: CompiledModel,
    *,
    on_progress: Callable[[Progress], None],
    stop: Stop,
    in_background: Callable[[], object],
) -> FitResult:
    """Train a job's model, from its last checkpoint if there is one.

    Args:
        task: the job.
        problem: the source of its examples.
        validation: its validation examples.
        compiled: its model, which is trained in place.
        on_progress, stop, in_background: see `job.training.fit.fit`.

    Raises:
        NonFiniteError: the loss, the gradient norm or a metric of validation is not finite.
        TrainingError: the spec asks for the best epoch, but the validation examples do not have its metric.
        Stopped: a stop was requested; a checkpoint is written.
        OSError: a checkpoint cannot be written.
    """
    spec = task.job.training
    fingerprint = task.training_fingerprint or task.fingerprint
    checkpoints = Checkpoints(task.paths.checkpoint, fingerprint, 60 * spec.checkpoint_minutes)
    with compiled.strategy.scope():
        return fit(
            compiled.loop,
            problem,
            spec,
            validation,
            on_progress,
            on_rows=LiveHistory(task) if task.live_history and not task.is_member else lambda _: None,
            checkpoints=checkpoints,
            stop=stop,
            in_background=in_background,
            measure=measure_for(task, problem, validation, compiled),
            agreement=agreement_for(compiled.strategy),
        )
