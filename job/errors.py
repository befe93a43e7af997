"""Everything that this package raises on purpose, and the exit code that each leads to.

    JobError                     1
    ├── SpecError                2   the spec, a data file or a command-line value is wrong
    ├── OutputError              2   the output directory cannot be used
    ├── ModelDirectoryError      2   `predict` or `encode` was given something that is no trained model
    ├── InputError               2   a line given to `predict` or `encode` cannot be read
    ├── DependencyError          2   TensorFlow or Keras is missing, too old or broken
    ├── UsageError               2   an option stands in the wrong place, or a variable for one is misspelt
    ├── ShardError               2   `--shard`, or what a cluster says in its place, makes no sense
    ├── BaselineError            4   the baseline is missing, or is of something else
    ├── DeviceError              1   the job asks for a GPU, and there is none
    ├── DamagedResultError       1   a recorded result, or a file of it, is not what was written
    ├── ChangedDataError         1   a data file is no longer what it was when the batch was planned
    ├── TrainingError            1   training cannot go on
    │   ├── NonFiniteError       1   the loss or the gradient is no longer a number
    │   └── ResultError          1   what a trained model came to is not finite, or cannot be recorded
    └── IncompleteReportError    1   a result that the plan lists is not there

An exception that is not a `JobError` is a bug of this package.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

OK = 0
FAILED = 1
BAD_USAGE = 2
GATE_FAILED = 3
BAD_BASELINE = 4
SIGHUP_EXIT = 129
SIGINT_EXIT = 130
SIGTERM_EXIT = 143


@dataclass(frozen=True, order=True)
class Complaint:
    """One thing that is wrong with a file, and where.

    Args:
        file: the file, as the user named it.
        line: 1-based; 0 when the complaint is about the file as a whole.
        key: dotted path inside the file (`jobs[0].model.units`), empty when there is none.
        message: what was found, what is allowed, what to do next: one sentence.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class JobError(Exception):
    """Base of all errors that have a sentence for the user instead of a traceback."""

    exit_code = FAILED


class SpecError(JobError):
    """The spec, or a file that it names, is wrong. Holds every complaint, not just the first."""

    exit_code = BAD_USAGE

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(sorted(set(complaints)))
        super().__init__("\n".join(map(str, self.complaints)))


class OutputError(JobError):
    """The output directory cannot be used."""

    exit_code = BAD_USAGE


class ModelDirectoryError(JobError):
    """A directory given as a trained model does not hold one."""

    exit_code = BAD_USAGE


class InputError(JobError):
    """A line of input cannot be read as a source."""

    exit_code = BAD_USAGE


class DependencyError(JobError):
    """TensorFlow or Keras is missing, too old or broken; a retry would meet the same."""

    exit_code = BAD_USAGE


class UsageError(JobError):
    """The command line, or a variable that stands for an option, is wrong."""

    exit_code = BAD_USAGE


class ShardError(JobError):
    """The shard that was asked for, or that a cluster's variables give, does not exist."""

    exit_code = BAD_USAGE


class DeviceError(JobError):
    """The job asks for a device that is not there; on another machine it may be."""


class DamagedResultError(JobError):
    """A recorded result cannot be read, or a file of it is not the one that it recorded."""


class ChangedDataError(JobError):
    """Data is no longer what it was when the batch was planned; the next run plans with what it is now.

    Args:
        what: the file, or the package of a problem.
        how: what was found, as a clause.
    """

    def __init__(self, what: str, how: str) -> None:
        super().__init__(
            f"changed data: {what} {how} since the batch was planned, so this job was not trained; run the "
            "batch again to train on what is there now"
        )


class TrainingError(JobError):
    """Training cannot go on."""


class NonFiniteError(TrainingError):
    """The loss or the gradient norm is NaN or infinite.

    Args:
        step: 1-based training step at which it was first seen.
        quantity: what was not finite: `loss`, `gradient norm` or `validation loss`.
    """

    def __init__(self, step: int, quantity: str) -> None:
        self.step = step
        self.quantity = quantity
        super().__init__(
            f"the {quantity} is not a finite number at step {step}: "
            "lower training.optimizer.learning_rate or set training.optimizer.clip_norm"
        )


class ResultError(TrainingError):
    """A job was trained, but a number that it came to is not finite, is missing, or cannot be recorded."""


class BaselineError(JobError):
    """The baseline is missing, cannot be read, or is of something else than what is held against it."""

    exit_code = BAD_BASELINE


class IncompleteReportError(JobError):
    """Results that the plan lists are missing, so a report cannot be trusted."""


class DataError(Exception):
    """A problem's data file or sizes are wrong; turned into a `SpecError` by whoever knows the job.

    Args:
        message: one sentence.
        file: the file, None when the complaint is about a key of the spec.
        line: 1-based line in the file, 0 for the whole file.
        key: the key of the problem section that is to blame, empty for the section itself.
    """

    def __init__(self, message: str, *, file: Path | None = None, line: int = 0, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.key = key


class DataErrors(Exception):  # noqa: N818 - the plural says what it holds
    """Several `DataError`s found in one go, in the order of keys and lines; never empty.

    Args:
        errors: what is wrong.
    """

    def __init__(self, errors: Sequence[DataError]) -> None:
        super().__init__("\n".join(error.message for error in errors))
        self.errors = tuple(errors)


def no_implementation(key: str, value: NoReturn) -> NoReturn:
    """Raise for a value that the schema allows and the code does not handle.

    A `match` over all values of a `Literal` ends in it. mypy reports a value without a case: it is not a
    `NoReturn`.

    Args:
        key: the key of the spec, such as `training.distribution`.
        value: the value that no case handled.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError(f"{key} {value!r} has no implementation")
