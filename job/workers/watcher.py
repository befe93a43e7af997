"""The interface by which the parent process learns what happens to its tasks."""

from __future__ import annotations

from typing import Protocol

from job.results.job_result import Failure, JobResult, Progress
from job.results.trained_job import TrainedJob
from job.running.task import Task


class Watcher(Protocol):
    """The receiver of what happens to tasks."""

    def started(self, task: Task) -> None:
        """A worker has taken the task."""

    def advanced(self, name: str, progress: Progress) -> None:
        """The training of the job with this name has advanced."""

    def decoded(self, name: str, share: float) -> None:
        """A share of the examples of the job's evaluation is decoded, 0 to 1."""

    def lost(self, task: Task, failure: Failure) -> None:
        """The task's worker was lost; the task will be retried."""

    def finished(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        """Record a trained or failed job; return its result."""

    def tick(self) -> None:
        """Called at least every `replies.POLL_SECONDS`."""
