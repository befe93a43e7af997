"""Run one task in a worker process, and describe how it ended in a message."""

from __future__ import annotations

import math
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from job.errors import DataError, DataErrors, JobError
from job.process.stopping import Stop, Stopped
from job.results.job_result import Decoding, Failure, Progress
from job.results.trained_job import TrainedJob
from job.running.ensemble_task import EnsembleTask
from job.running.task import Task
from job.storage.store_address import with_addresses
from job.workers.messages import EnsembleFinished, Failed, Finished, Interrupted, Joined, ParentGone

LEASE_CHECK_SECONDS = 1.0
"""Seconds between two checks of a job's lease while it trains."""


def run_task(
    task: Task, run_job: Callable[..., TrainedJob | None], report: Callable[[Progress | Decoding], None]
) -> Finished | Joined | Failed | Interrupted:
    """Run a task with its output redirected to the job's log.

    Args:
        task: The task.
        run_job: Function that trains and evaluates, or trains for another process and returns None; called
            with the task, `report` and a `Stop`.
        report: Receiver of the progress of training and of the evaluation.

    Raises:
        ParentGone: `report` raised it. Any other exception is a failure of the job.
    """
    stop = Stop(second_signal_raises=False)  # both the cluster and the parent send signals
    try:
        _redirect_output(task.paths.log)
        with stop.handling_signals():
            trained = run_job(task, _checking(task, report), stop)
        return Joined() if trained is None else Finished(trained, _resident_bytes())
    except Stopped as stopped:
        return Interrupted(stopped.request.cause)
    except ParentGone:
        raise
    except BaseException as error:
        return Failed(_describe(error, task.paths.log))


def run_ensemble_task(task: EnsembleTask) -> EnsembleFinished | Failed:
    """Decode an ensemble with the output redirected to its log."""
    try:
        _redirect_output(task.log)
        from job.running.decode_ensemble import decode_ensemble  # imports TensorFlow

        return EnsembleFinished(decode_ensemble(task))
    except BaseException as error:
        return Failed(_describe(error, task.log))


def _checking(
    task: Task, report: Callable[[Progress | Decoding], None]
) -> Callable[[Progress | Decoding], None]:
    """Return a function that checks the task's lease and then calls `report`.

    The lease is checked at most once in `LEASE_CHECK_SECONDS`. Progress is reported before a checkpoint is
    written, so a task without a lease writes none.
    """
    if task.lease is None:
        return report
    checked_at = -math.inf

    def check_and_report(progress: Progress | Decoding) -> None:
        nonlocal checked_at
        if time.monotonic() - checked_at >= LEASE_CHECK_SECONDS:
            task.check_lease()
            checked_at = time.monotonic()
        report(progress)

    return check_and_report


def _redirect_output(log: Path) -> None:
    """Redirect what this process and its libraries print to the job's log."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)


def _resident_bytes() -> int:
    """Return the resident memory of this process; 0 if unknown."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _describe(error: BaseException, log: Path) -> Failure:
    """Return the failure that an exception describes; its traceback goes to the job's log."""
    traceback.print_exc()
    sys.stderr.flush()
    if isinstance(error, JobError | DataError | DataErrors):  # errors of the user: no traceback
        errors = error.errors if isinstance(error, DataErrors) else [error]
        return Failure(type(error).__name__, with_addresses("\n".join(map(_with_place, errors))))
    return Failure(type(error).__name__, with_addresses(str(error)), traceback_file=log.name)


def _with_place(error: BaseException) -> str:
    """Return an error's message, preceded by its file and line."""
    if not isinstance(error, DataError) or error.file is None:
        return str(error)
    return f"{error.file}:{error.line}: {error}" if error.line else f"{error.file}: {error}"
