"""The exceptions of this package, each with the exit code of the command that it ends.

    JobError                     1
    ├── SpecError                2   the spec, a data file or a command-line value is invalid
    ├── OutputError              2   the output directory cannot be used
    ├── ModelDirectoryError      2   a directory given to `predict` or `encode` has no trained model
    ├── InputError               2   a line given to `predict` or `encode` cannot be read
    ├── DependencyError          2   TensorFlow or Keras is missing, too old or broken
    ├── UsageError               2   an option is misplaced, or an environment variable for one is misspelt
    ├── ShardError               2   `--shard`, or the cluster's variables in its place, are invalid
    ├── ClusterError             2   `--cluster`, or the cluster's variables in its place, are invalid
    ├── StoreError               2   the store of `--store` cannot be used
    ├── BaselineError            4   the baseline is missing, or cannot be compared
    ├── DeviceError              1   the job requires a GPU, but there is none
    ├── DamagedResultError       1   a recorded result, or one of its files, was changed or damaged
    ├── ChangedDataError         1   a data file has changed since the batch was planned
    ├── LeaseLostError           1   another machine has taken the job over
    ├── ExportError              1   an export cannot be made, or predicts something else than the model
    └── TrainingError            1   training cannot continue
        ├── NonFiniteError       1   the loss or the gradient is not a finite number
        └── ResultError          1   a trained model's result is not finite, or cannot be recorded

`DataError` and `DataErrors` become a `SpecError` before they reach a command. Any other exception is a bug of
this package.
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
STOP_EXITS = (SIGTERM_EXIT, SIGINT_EXIT, SIGHUP_EXIT)
"""The exit codes of a batch that was asked to stop, the one that comes first first."""


@dataclass(frozen=True, order=True)
class Complaint:
    """An error in a file, with its location.

    Args:
        file: the file, as the user named it.
        line: 1-based; 0 if the complaint is about the whole file.
        key: dotted path inside the file (`jobs[0].model.units`), or empty.
        message: one sentence: what was found, what is allowed, what to do next.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class JobError(Exception):
    """Base class of all errors that the user sees as a message instead of a traceback."""

    exit_code = FAILED


class SpecError(JobError):
    """The spec, or a file that it names, is invalid; `complaints` has all errors, not only the first."""

    exit_code = BAD_USAGE

    def __init__(self, complaints: Sequence[Complaint]) -> None:
        self.complaints = tuple(sorted(set(complaints)))
        super().__init__("\n".join(map(str, self.complaints)))


class OutputError(JobError):
    """The output directory cannot be used."""

    exit_code = BAD_USAGE


class ModelDirectoryError(JobError):
    """A directory given as a trained model does not contain one."""

    exit_code = BAD_USAGE


class InputError(JobError):
    """A line of input cannot be read as a source."""

    exit_code = BAD_USAGE


class DependencyError(JobError):
    """TensorFlow or Keras is missing, too old or broken; a retry cannot succeed."""

    exit_code = BAD_USAGE


class UsageError(JobError):
    """The command line, or an environment variable for an option, is invalid."""

    exit_code = BAD_USAGE


class ShardError(JobError):
    """The requested shard, or the one given by a cluster's variables, does not exist."""

    exit_code = BAD_USAGE


class DeviceError(JobError):
    """The job requires a device that this machine does not have."""


class DamagedResultError(JobError):
    """A recorded result cannot be read, or a file of it is not the one that it recorded."""


class ChangedDataError(JobError):
    """Data has changed since the batch was planned; the next run plans with the changed data.

    Args:
        what: the file, or the package of a problem.
        how: the change, as a clause.
    """

    def __init__(self, what: str, how: str) -> None:
        super().__init__(
            f"changed data: {what} {how} since the batch was planned, so this job was not trained; run the "
            "batch again to train on what is there now"
        )


class LeaseLostError(JobError):
    """Another machine has taken the job over; what this one still does to it is discarded."""

    def __init__(self) -> None:
        super().__init__("another machine has taken this job over")


class ExportError(JobError):
    """An export of a trained model cannot be made or run, or predicts something else than the model."""


class TrainingError(JobError):
    """Training cannot continue."""


class NonFiniteError(TrainingError):
    """The loss or the gradient norm is NaN or infinite.

    Args:
        step: 1-based training step at which it was first observed.
        quantity: the quantity that is not finite: `loss`, `gradient norm` or `validation loss`.
    """

    def __init__(self, step: int, quantity: str) -> None:
        self.step = step
        self.quantity = quantity
        super().__init__(
            f"the {quantity} is not a finite number at step {step}: "
            "lower training.optimizer.learning_rate or set training.optimizer.clip_norm"
        )


class ResultError(TrainingError):
    """A job was trained, but a number of its result is not finite, missing, or cannot be recorded."""


class ClusterError(JobError):
    """The cluster, or the one given by a cluster's variables, has no place for this process."""

    exit_code = BAD_USAGE


class StoreError(JobError):
    """The store of `--store` cannot be reached, read or written to, or its address is invalid."""

    exit_code = BAD_USAGE


class BaselineError(JobError):
    """The baseline is missing, cannot be read, or cannot be compared with the candidate."""

    exit_code = BAD_BASELINE


class DataError(Exception):
    """A data file or a size of a problem is invalid; callers that know the job raise a `SpecError` from it.

    Args:
        message: one sentence.
        file: the data file; None if the error is in a key of the spec.
        line: 1-based line in the file; 0 for the whole file.
        key: the wrong key of the problem section; empty for the section itself.
    """

    def __init__(self, message: str, *, file: Path | None = None, line: int = 0, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.file = file
        self.line = line
        self.key = key


class DataErrors(Exception):  # noqa: N818 - a plural, because it has several errors
    """Several `DataError`s of one problem, in the order of keys and lines.

    Args:
        errors: the errors; at least one.
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
