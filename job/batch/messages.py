"""What a worker tells its parent. Not in `worker`: that runs as `__main__`, a name nothing unpickles by."""

from __future__ import annotations

from dataclasses import dataclass

from job.results import Failure, JobResult, Progress


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
    """A job came to a result; its gates are not judged yet."""

    result: JobResult


@dataclass(frozen=True)
class Failed:
    """A job raised."""

    failure: Failure
