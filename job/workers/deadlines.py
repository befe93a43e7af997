"""The deadlines of workers: for loading TensorFlow, for a task, and for saving a job's state."""

from __future__ import annotations

import math
import time

from job.workers.worker_handle import Worker

START_SECONDS = 600.0
"""Time in which a worker must load TensorFlow, even from a slow disk, before it is killed."""

JOIN_SECONDS = 180.0
"""Time in which the processes of a cluster must find each other, before a worker that waits is killed: the
slowest of them may take so much longer than the first one to load TensorFlow."""

STOP_SECONDS = 7.0
"""Time in which a worker must save its state and exit before it is killed. Its last checkpoint remains, and
the whole batch has 10 seconds to stop."""


def set_task_deadline(worker: Worker) -> None:
    """Set the deadline of what a worker does now: loading TensorFlow, joining a cluster, or its task."""
    assert worker.task is not None
    seconds = JOIN_SECONDS if worker.joining else START_SECONDS
    if worker.ready:
        seconds = 60 * (worker.task.job.timeout_minutes or math.inf)
    worker.deadline = time.monotonic() + seconds


def set_stop_deadline(worker: Worker) -> None:
    """Set the deadline of a worker that was asked to save its state and exit."""
    worker.deadline = time.monotonic() + STOP_SECONDS


def is_overdue(worker: Worker) -> bool:
    """Return whether a worker has exceeded its deadline."""
    return time.monotonic() >= worker.deadline
