"""The interface by which the schedule gets further tasks and requests to stop running ones."""

from __future__ import annotations

from typing import Literal

from job.results.job_result import Failure, JobResult
from job.running.task import Task

Intent = Literal["run", "cancel", "drop", "lost", "hung"]
"""What the schedule must do with a running task.

`run` continues it, `cancel` stops it with its state saved, `drop` ends it and discards its outcome, because
another machine has taken the job over, `lost` fails it, because a process of its cluster is lost, and `hung`
retries it, because its worker does not notice that another process has left the training.
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

    def prepare(self, task: Task) -> Task:
        """Return what is run for a task that has waited for the jobs in `Task.after`."""
        raise NotImplementedError

    def intent(self, task: Task) -> Intent:
        """Return what the schedule must do with a running task."""
        return "run"

    def cancelled(self, task: Task) -> JobResult:
        """Record that a task was cancelled, with its state saved; return its result."""
        raise NotImplementedError

    def lost(self, task: Task) -> Failure:
        """Return the failure of a task whose cluster has lost a process."""
        raise NotImplementedError

    def hung(self, task: Task) -> Failure:
        """Return the failure of a task whose worker hangs."""
        raise NotImplementedError

    def worker_lost(self, task: Task, failure: Failure, *, joining: bool = False) -> Failure:
        """Return the failure of a task whose worker was lost, with the names of processes of its cluster.

        Args:
            task: the task.
            failure: what is known of the worker alone.
            joining: whether it has waited in vain for the other processes.
        """
        return failure

    def member_ended(self, task: Task, failure: Failure | None) -> None:
        """Note that this process's part in a task of the cluster has ended, with a failure or without."""
        raise NotImplementedError

    def peer_failure(self, task: Task, failure: Failure) -> Failure | None:
        """Return the failure if it was another process of the cluster that made the task fail, else None."""
        return None

    def dropped(self, task: Task) -> None:
        """Record that a task was dropped."""
