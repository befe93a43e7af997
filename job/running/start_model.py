"""The trained model that a training starts from: where it is, and what it reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from job.errors import ChangedDataError, ModelDirectoryError, TrainingError
from job.problems.earlier_tokens import own_tokens, read_earlier_tokens
from job.problems.vocabulary import EarlierTokens
from job.results.job_result import JobResult
from job.running.task import StartModel, Task
from job.spec.file_locations import changed_data
from job.spec.start_models import start_checksum
from job.storage.documents import read_regular, why
from job.storage.store_address import address_of, is_store, note_copy


@dataclass(frozen=True, kw_only=True)
class EarlierModel:
    """The trained model that a training starts from.

    Args:
        model: its model directory.
        what: how messages call it.
        tokens: what it reads and writes; None if it reads numbers.
    """

    model: Path
    what: str
    tokens: EarlierTokens | None


def find_start(task: Task) -> EarlierModel | None:
    """Return the model that a job's training starts from, if there is one; its weights are not read yet.

    Raises:
        TrainingError: the earlier model is not there or cannot be read.
        ChangedDataError: it has changed since the batch was planned.
    """
    start = task.start
    if start is None:
        return None
    named = task.job.training.start_from or ""
    what = f"job {start.job}" if start.job is not None else named if is_store(named) else str(start.model)
    if start.job is None and is_store(named):
        note_copy(start.model.parent, address_of(named.rstrip("/").removesuffix("/model")))
    _check_identity(start, what)
    try:
        return EarlierModel(model=start.model, what=what, tokens=read_earlier_tokens(start.model))
    except (OSError, ValueError) as error:
        raise unreadable(what, error) from error


def unreadable(what: str, error: Exception) -> TrainingError:
    """Return the error for a model that cannot be read, with the reason."""
    return TrainingError(
        f"training cannot start from {what}: its model cannot be read ({why(error)}); train it again"
    )


def _check_identity(start: StartModel, what: str) -> None:
    """Raise the errors of `find_start` unless the model is the one that was planned with."""
    try:
        if start.job is None:
            found = start_checksum(start.model)
            if found != start.identity:
                raise changed_data(f"the model in {start.model}", start.identity, found)
            return
        result = JobResult.from_json(read_regular(start.model.parent / "result.json"))
    except ChangedDataError:
        raise
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"training cannot start from {what}: it has no finished result ({why(error)}); run it, too"
        ) from error
    if not result.finished or result.training_fingerprint != start.identity:
        raise TrainingError(
            f"training cannot start from {what}: its result is not finished, or of another spec; run it, too"
        )


def own_tokens_of(task: Task) -> EarlierTokens | None:
    """Return the tokens of a job's model if its data alone do not have those of the one it started from.

    Raises:
        ModelDirectoryError: its `vocabulary.json` cannot be read.
    """
    if task.job.training.start_from is None or task.job.problem.kind != "text_pairs":
        return None
    try:
        return own_tokens(task.paths.model)
    except (OSError, ValueError) as error:
        file = task.paths.model / "vocabulary.json"
        raise ModelDirectoryError(f"{file} cannot be read ({why(error)}); train the job again") from error
