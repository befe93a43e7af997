"""What a worker tells its parent. Not in `worker`: that runs as `__main__`, a name nothing unpickles by."""

from __future__ import annotations

from dataclasses import dataclass

from job.results.job_result import Failure, Progress
from job.results.trained_job import TrainedJob


@dataclass(frozen=True)
class Ready:
    """TensorFlow is loaded and works."""


@dataclass(frozen=True)
class Broken:
    """TensorFlow does not work here: a sentence."""

    message: str


@dataclass(frozen=True)
class Advanced:
    """Training went on."""

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
    """A job raised."""

    failure: Failure


@dataclass(frozen=True)
class Interrupted:
    """A job was stopped by a signal and has saved its state; the worker leaves."""

    cause: str
