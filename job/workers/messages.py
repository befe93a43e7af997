"""The messages that a worker sends to its parent.

They are not in `worker`, which may run as `__main__`, a name by which nothing can be unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass

from job.results.job_result import Failure, Progress
from job.results.trained_job import TrainedJob


@dataclass(frozen=True)
class Ready:
    """TensorFlow is loaded and works."""


@dataclass(frozen=True)
class Broken:
    """TensorFlow does not work.

    Args:
        message: a sentence for the user.
    """

    message: str


@dataclass(frozen=True)
class Advanced:
    """The progress of the job's training."""

    progress: Progress


@dataclass(frozen=True)
class Finished:
    """A job is trained and evaluated.

    Args:
        trained: the job.
        resident_bytes: resident memory of the worker process.
    """

    trained: TrainedJob
    resident_bytes: int


@dataclass(frozen=True)
class Failed:
    """A job has raised an exception."""

    failure: Failure


@dataclass(frozen=True)
class Interrupted:
    """A signal stopped the job, which has saved its state; the worker exits.

    Args:
        cause: name of the signal.
    """

    cause: str


class ParentGone(BaseException):
    """No message can be sent: the parent process has ended.

    Not a `ConnectionError`, because a problem that reads over a network may raise and handle those.
    """
