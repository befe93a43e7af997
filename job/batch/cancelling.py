"""Requests to cancel one running job: a file in its directory, for whoever runs it on whatever machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.heartbeat import HEARTBEAT_SECONDS
from job.batch.job_recorder import JobRecorder
from job.batch.job_state import ENDED, JobStatus
from job.batch.job_status import StatusReader
from job.errors import UsageError
from job.reports.formatting import plain
from job.results.job_result import JobResult
from job.running.task import Task
from job.storage.artifacts import OutputPaths
from job.storage.exclusive import create_exclusively
from job.workers.job_control import Intent, JobControl

WAIT_SECONDS = 30.0
"""Seconds for which `cancel` waits for the job to stop: for a heartbeat, and for its state to be saved."""


@dataclass
class CancelControl(JobControl):
    """Looks for requests to cancel a running job.

    Args:
        output: the output directory.
        recorder: records the cancelled jobs.
    """

    output: OutputPaths
    recorder: JobRecorder
    _looked: dict[str, float] = field(default_factory=dict)

    def intent(self, task: Task) -> Intent:
        """Return whether somebody asks to cancel the task; the directory is read now and then."""
        now, name = time.monotonic(), task.job.name
        if now - self._looked.get(name, 0.0) < HEARTBEAT_SECONDS:
            return "run"
        self._looked[name] = now
        return "cancel" if self.output.job(name).cancel.exists() else "run"

    def cancelled(self, task: Task) -> JobResult:
        """Record that a task was cancelled, with its state saved; return its result."""
        return self.recorder.cancelled(task)


def request_cancel(directory: Path, name: str) -> str:
    """Leave the request to cancel a running job; return the host that runs it.

    Raises:
        OutputError: the directory is missing or has no plan.
        UsageError: it has no such job, or the job does not run.
        OSError: the request cannot be written.
    """
    found = _status(directory, name)
    if found.state in ENDED:
        raise UsageError(f"job {name} in {directory} has ended already ({plain(found.state)})")
    if not found.running:
        raise UsageError(f"job {name} in {directory} does not run ({plain(found.state)})")
    create_exclusively(OutputPaths(directory).job(name).cancel, b"")
    return found.host or "its machine"


def wait_for_cancel(directory: Path, name: str) -> JobStatus:
    """Return the state of a job once it runs no longer, or after `WAIT_SECONDS`."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := _status(directory, name)).running and time.monotonic() < deadline:
        time.sleep(HEARTBEAT_SECONDS / 4)
    return found


def _status(directory: Path, name: str) -> JobStatus:
    jobs = {job.name: job for job in StatusReader([directory]).read()}
    if name not in jobs:
        raise UsageError(f"{directory} has no job {name}; expected one of {', '.join(jobs)}")
    return jobs[name]
