"""Give a model the weights of the trained model that its training starts from (`training.start_from`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from job.errors import ChangedDataError, ModelDirectoryError, TrainingError
from job.inference.model_files import load_model_file
from job.models.earlier_weights import SharedIds, Side, shared_ids, transferred_weights, weights_of
from job.problems.base import Problem
from job.problems.vocabulary import PAD, Vocabulary
from job.results.job_result import JobResult
from job.running.model_cache import CompiledModel
from job.running.task import StartModel, Task
from job.spec.file_locations import changed_data
from job.spec.start_models import start_checksum
from job.storage.documents import read_regular, why
from job.storage.store_address import is_store


def take_start_weights(task: Task, problem: Problem, compiled: CompiledModel) -> None:
    """Replace the initial weights of a job's model by those that its training starts from, if there are any.

    Entries of tokens that the earlier model does not know keep their initial weights.

    Args:
        task: the job.
        problem: the source of its examples.
        compiled: its model, with initial weights.

    Raises:
        TrainingError: the earlier model is not there, cannot be read, or has another architecture.
        ChangedDataError: it has changed since the batch was planned.
    """
    start = task.start
    if start is None:
        return
    named = task.job.training.start_from or ""
    what = f"job {start.job}" if start.job is not None else named if is_store(named) else str(start.model)
    _check_identity(start, what)
    try:
        old = load_model_file(start.model / "train.keras")
        record = json.loads((start.model / "vocabulary.json").read_text("utf-8"))
        shared = _shared(record, problem)
    except ModelDirectoryError as error:
        raise TrainingError(f"training cannot start from {what}: {error}") from error
    except Exception as error:  # of a damaged file Keras, HDF5 and TensorFlow raise almost anything
        raise TrainingError(
            f"training cannot start from {what}: its model cannot be read ({why(error)}); train it again"
        ) from error
    compiled.take_over_weights()  # into the model whose variables have the same paths
    new = weights_of(compiled.models.train)
    one_hot = task.job.model.architecture == "recurrent" and task.job.model.inputs == "one_hot"
    taken, wrong = transferred_weights(weights_of(old), new, shared, one_hot=one_hot)
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise TrainingError(
            f"training cannot start from {what}, whose model has other weights: {'; '.join(wrong[:3])}{more}"
        )
    compiled.loop.model.set_weights([taken[path] for path in new])


def _check_identity(start: StartModel, what: str) -> None:
    """Raise the errors of `take_start_weights` unless the model is the one that was planned with."""
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


def _shared(record: dict[str, Any], problem: Problem) -> dict[Side, SharedIds]:
    """Return the tokens that both models know, by side; empty for numbers.

    Raises:
        Exception: `record` is not the content of a `vocabulary.json`, or is of the other kind of model.
    """
    if problem.target_kind == "numbers":
        if "source" in record:
            raise ValueError("it reads tokens, and this job numbers")
        return {}
    if "source" not in record:
        raise ValueError("it reads numbers, and this job tokens")
    pairs: dict[Side, tuple[Vocabulary, Vocabulary]] = {
        "source": (Vocabulary.from_json(record["source"]), problem.source_vocabulary),
        "target": (Vocabulary.from_json(record["target"]), problem.target_vocabulary),
    }
    return {
        side: shared_ids(_named_ids(old), _named_ids(new), (len(old), len(new)))
        for side, (old, new) in pairs.items()
    }


def _named_ids(vocabulary: Vocabulary) -> Iterator[tuple[str, int]]:
    """Yield each token with its id, and the reserved ids under names that no token has."""
    reserved = {"pad": PAD, "start": vocabulary.start, "end": vocabulary.end, "unknown": vocabulary.unknown}
    for name, i in reserved.items():
        if i is not None and (name == "pad" or i != PAD):
            yield f"\0{name}", i
    for i, token in enumerate(vocabulary.tokens):
        if i not in vocabulary.reserved:
            yield token, i
