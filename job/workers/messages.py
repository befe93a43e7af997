"""The messages that a worker sends to its parent.

They are not defined in `worker`: it may run as `__main__`, and objects of `__main__` cannot be unpickled by
another process.
"""

from __future__ import annotations

from dataclasses import dataclass

from job.results.job_result import Decoding, Failure, Progress
from job.results.trained_job import TrainedJob
from job.running.ensemble_task import DecodedEnsemble
from job.workers.limits import MAX_RESIDENT_BYTES


@dataclass(frozen=True)
class Joining:
    """TensorFlow is loaded, and waits for the other processes of the cluster."""


@dataclass(frozen=True)
class Ready:
    """TensorFlow is loaded and works."""


@dataclass(frozen=True)
class Broken:
    """TensorFlow does not work.

    Args:
        message: Sentence for the user.
    """

    message: str


@dataclass(frozen=True)
class Advanced:
    """The progress of the job's training, or of its evaluation."""

    progress: Progress | Decoding


@dataclass(frozen=True)
class Finished:
    """A job is trained and evaluated.

    Args:
        trained: The job.
        resident_bytes: Resident memory of the worker process.
    """

    trained: TrainedJob
    resident_bytes: int

    @property
    def exceeds_memory(self) -> bool:
        """Whether the process uses so much memory that it must be replaced."""
        return self.resident_bytes > MAX_RESIDENT_BYTES


@dataclass(frozen=True)
class EnsembleFinished:
    """An ensemble is decoded."""

    decoded: DecodedEnsemble


@dataclass(frozen=True)
class Joined:
    """A job is trained, whose results another process of the cluster writes."""


@dataclass(frozen=True)
class Failed:
    """A job has raised an exception."""

    failure: Failure


@dataclass(frozen=True)
class Interrupted:
    """A signal stopped the job, which has saved its state; the worker exits.

    Args:
        cause: Name of the signal.
    """

    cause: str


class ParentGone(BaseException):
    """Raised if no message can be sent, because the parent process has ended.

    Not a `ConnectionError`, because the code of a problem may raise and handle those.
    """
