"""Why a job failed without an error of its own: a lost worker, a timeout, a job that it starts from."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from job.results.job_result import QUOTED, Failure, JobResult
from job.running.task import Task
from job.workers import deadlines
from job.workers.worker_handle import Worker

LOG_LINES = 20
"""Number of lines of a log that are quoted when a worker is lost."""

_LOG_BYTES = 1 << 16
"""Number of bytes at the end of a log in which these lines are searched."""


def lost_worker(worker: Worker, how: str) -> Failure:
    """Return the failure of a job whose worker was lost.

    Args:
        worker: The worker, with its task.
        how: Clause that says what happened to the process.
    """
    return Failure("WorkerLost", f"the worker process {how}; {_quote_log(worker)}")


def overdue(worker: Worker) -> Failure:
    """Return the failure of a job whose worker was killed because it exceeded its deadline."""
    if worker.ready:
        return timed_out(worker)
    if worker.joining:
        how = f"waited {deadlines.JOIN_SECONDS:g} s for the other processes of the cluster and was killed"
        return Failure("WorkerLost", f"the worker process {how}")
    return lost_worker(worker, f"did not load TensorFlow in {deadlines.START_SECONDS:g} s and was killed")


def timed_out(worker: Worker) -> Failure:
    """Return the failure of a job that exceeded its `timeout_minutes`."""
    assert worker.task is not None
    minutes = worker.task.job.timeout_minutes
    return Failure(
        "TimedOut",
        f"it took longer than its timeout_minutes of {minutes:g} and was killed; {_quote_log(worker)}",
    )


def parent_failure(task: Task, results: Mapping[str, JobResult]) -> Failure | None:
    """Return the failure of a task that starts from a job which did not end well in this run, if it did not.

    Args:
        task: the task.
        results: of the jobs that have ended in this run, by name.
    """
    parent = results.get(task.waits_for) if task.waits_for is not None else None
    if parent is None or parent.finished:
        return None
    how = "failed" if parent.status == "failed" else "was stopped"
    return Failure(
        "NothingToStartFrom",
        f"job {parent.name}, from whose model this one starts, {how}; it was not trained",
    )


def describe_exit(process: subprocess.Popen[bytes]) -> str:
    """Wait for a process that closed its connection, and return how it ended, as a clause."""
    code = process.wait()
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # most real-time signals have no name
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


def _quote_log(worker: Worker) -> str:
    """Return the last lines of a worker's log; without lines, the stage that its task had reached."""
    assert worker.task is not None
    worker.output.seek(0)
    text = worker.output.read() + _last_bytes(worker.task.paths.log, worker.log_start)
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    if lines:
        return "\n".join([QUOTED, *lines[-LOG_LINES:]])
    return f"its log is empty, and {_describe_stage(worker)}"


def _describe_stage(worker: Worker) -> str:
    if worker.joining:
        return "it was waiting for the other processes of the cluster"
    if not worker.ready:
        return "it was loading TensorFlow"
    if worker.progress is None:
        return "it had not begun training"
    return f"it had trained {worker.progress.step:,} of {worker.progress.steps:,} steps"


def _last_bytes(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(start, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read()
    except OSError:
        return b""
