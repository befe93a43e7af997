"""The interface by which the schedule gets further tasks and requests to stop running ones."""

from __future__ import annotations

from typing import Literal

from job.results.job_result import JobResult
from job.running.task import Task

Intent = Literal["run", "cancel", "drop"]
"""What the schedule must do with a running task.

`run` continues it, `cancel` stops it with its state saved, and `drop` ends it and discards its outcome,
because another machine has taken the job over.
"""


class JobControl:
    """The source of further tasks and of requests to stop. This base class has neither."""

    @property
    def open(self) -> bool:
        """Whether there may be another task, now or later."""
        return False

    @property
    def failed(self) -> bool:
        """Whether a job has failed on another machine."""
        return False

    def take(self) -> Task | None:
        """Return the next task; None if there is none now."""
        return None

    def intent(self, task: Task) -> Intent:
        """Return what the schedule must do with a running task."""
        return "run"

    def cancelled(self, task: Task) -> JobResult:
        """Record that a task was cancelled, with its state saved; return its result."""
        raise NotImplementedError

    def dropped(self, task: Task) -> None:
        """Record that a task was dropped."""
