"""What the schedule asks about tasks while it runs: is there another one, must a running one stop?"""

from __future__ import annotations

from typing import Literal

from job.results.job_result import JobResult
from job.running.task import Task

Intent = Literal["run", "cancel", "drop"]
"""What is to become of a running task: `cancel` saves its state; `drop` ends it without any trace, because
another machine has taken the job over."""


class JobControl:
    """The source of further tasks, and of requests to stop a running one: here there are none."""

    @property
    def open(self) -> bool:
        """Whether there may be another task, now or later."""
        return False

    @property
    def failed(self) -> bool:
        """Whether a job has failed on another machine."""
        return False

    def take(self) -> Task | None:
        """Return another task; None if there is none now."""
        return None

    def intent(self, task: Task) -> Intent:
        """Return what is to become of a running task."""
        return "run"

    def cancelled(self, task: Task) -> JobResult:
        """Record that a task was cancelled, with its state saved; return its result."""
        raise NotImplementedError

    def dropped(self, task: Task) -> None:
        """Note that a task was dropped."""
