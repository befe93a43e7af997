"""Run a job, or this process's part in one whose results the chief of its cluster writes."""

from __future__ import annotations

from collections.abc import Callable

from job.process.stopping import Stop
from job.results.job_result import Decoding, Progress
from job.results.trained_job import TrainedJob
from job.running.evaluate_again import evaluate_part
from job.running.evaluator import evaluator_of
from job.running.model_cache import ModelCache
from job.running.prepared_model import prepare_model
from job.running.run_job import run_job
from job.running.task import Task
from job.running.timings import StageClock
from job.running.training_stage import train

Run = Callable[[Task, Callable[[Progress | Decoding], None], Stop], TrainedJob | None]
"""Runs a task: called with it, with the receiver of the progress and with the requests to stop."""


def runner() -> Run:
    """Return a function that runs tasks, and keeps the last compiled model for the next one."""
    cache = ModelCache()

    def run(task: Task, on_progress: Callable[[Progress | Decoding], None], stop: Stop) -> TrainedJob | None:
        if task.cluster is not None and task.is_member:
            (evaluate_part if task.cluster.evaluates else run_part)(task, stop)
            return None
        return run_job(task, on_progress, stop, cache)

    return run


def run_part(task: Task, stop: Stop) -> None:
    """Compute this process's share of a job's training and of its evaluation; nothing is written.

    It reads the checkpoint from which the chief resumes too.

    Args:
        task: the job.
        stop: requests to stop: the chief then leaves a checkpoint, and all processes stop.

    Raises:
        JobError: training cannot continue, or the job's device is not available.
        ChangedDataError: a data file has changed since the batch was planned.
        DataError, DataErrors: data cannot be used.
        Stopped: a process of the cluster was asked to stop.
    """
    prepared = prepare_model(task, ModelCache(), StageClock(stop))
    problem, compiled = prepared.problem, prepared.compiled
    evaluator = evaluator_of(task, prepared, stop)
    train(
        task,
        problem,
        evaluator.validation,
        compiled,
        on_progress=lambda _: None,
        stop=stop,
        in_background=evaluator.compile,
    )
    compiled.take_over_weights()
    evaluator.take_part()
