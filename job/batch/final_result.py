"""The result that is recorded of a job: trained and judged, failed, or stopped."""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import replace

from job.gating import gates
from job.process import environment
from job.reports.model_card_file import write_card
from job.results.job_files import list_files
from job.results.job_result import Failure, JobResult, Status
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.storage.links import open_to_append

CANCELLED = "Cancelled"
"""`type` of the error of a job that was cancelled alone; its status is `interrupted`."""


def final_result(task: Task, outcome: TrainedJob | Failure) -> JobResult:
    """Draw a trained job's pictures, write its model card, judge it, and return the result to record.

    An error in that fails the job, not the batch, and its traceback goes to the job's log.

    Args:
        task: the job.
        outcome: the trained job, or why there is none.

    Raises:
        OSError: a picture or the card cannot be written.
    """
    if isinstance(outcome, Failure):
        return unfinished_result(task, outcome, "failed")
    try:
        from job.reports.plots import write_plots  # already loaded, while the workers loaded TensorFlow

        result = gates.judge_trained(outcome, task.job.gate, task.job.seeds)
        write_plots(task.paths, result)
        write_card(task.paths, result)
        result = replace(result, artifacts=list_files(task.paths.directory))
        result.to_json()
    except OSError:  # the output directory's fault, so the batch ends
        raise
    except Exception as error:
        with suppress(OSError), open_to_append(task.paths.log) as log:
            traceback.print_exc(file=log)
        failure = Failure(type(error).__name__, str(error), traceback_file=task.paths.log.name)
        return unfinished_result(task, failure, "failed")
    return result


def unfinished_result(task: Task, failure: Failure, status: Status) -> JobResult:
    """Return the result of a job that has no trained model.

    Args:
        task: the job.
        failure: why it has none.
        status: `failed` or `interrupted`.
    """
    return JobResult(
        name=task.job.name,
        status=status,
        fingerprint=task.fingerprint,
        training_fingerprint=task.training_fingerprint,
        evaluation_fingerprint=task.fingerprint,
        seed=task.job.seed,
        spec=task.job.model_dump(mode="json"),
        environment=environment.describe([], task.commit, task.dirty),
        error=failure,
        attempts=task.attempt,
        problem_fingerprint=task.problem_fingerprint,
    )
