"""Give a model the weights of the trained model that its training starts from (`training.start_from`)."""

from __future__ import annotations

from collections.abc import Iterator

from job.errors import ModelDirectoryError, TrainingError
from job.inference.model_files import load_model_file
from job.models.earlier_weights import SharedIds, Side, shared_ids, transferred_weights, weights_of
from job.problems.base import Problem
from job.problems.vocabulary import PAD, EarlierTokens, Vocabulary
from job.running.model_cache import CompiledModel
from job.running.start_model import EarlierModel, unreadable
from job.spec.schema import JobSpec


def take_start_weights(
    job: JobSpec, earlier: EarlierModel | None, problem: Problem, compiled: CompiledModel
) -> None:
    """Replace the initial weights of a job's model by those that its training starts from, if there are any.

    Entries of tokens that the earlier model does not know keep their initial weights.

    Args:
        job: the job.
        earlier: the model that it starts from, if there is one.
        problem: the source of its examples.
        compiled: its model, with initial weights.

    Raises:
        TrainingError: the earlier model cannot be read, or has another architecture.
    """
    if earlier is None:
        return
    what = earlier.what
    try:
        old = load_model_file(earlier.model / "train.keras")
        shared = _shared(earlier.tokens, problem)
    except ModelDirectoryError as error:
        raise TrainingError(f"training cannot start from {what}: {error}") from error
    except Exception as error:  # of a damaged file Keras, HDF5 and TensorFlow raise almost anything
        raise unreadable(what, error) from error
    compiled.take_over_weights()  # into the model whose variables have the same paths
    new = weights_of(compiled.models.train)
    one_hot = job.model.architecture == "recurrent" and job.model.inputs == "one_hot"
    taken, wrong = transferred_weights(weights_of(old), new, shared, one_hot=one_hot)
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise TrainingError(
            f"training cannot start from {what}, whose model has other weights: {'; '.join(wrong[:3])}{more}"
        )
    compiled.loop.model.set_weights([taken[path] for path in new])


def _shared(earlier: EarlierTokens | None, problem: Problem) -> dict[Side, SharedIds]:
    """Return the tokens that both models know, by side; empty for numbers.

    Raises:
        ValueError: only one of the two models reads tokens.
    """
    if problem.target_kind == "numbers":
        if earlier is not None:
            raise ValueError("it reads tokens, and this job numbers")
        return {}
    if earlier is None:
        raise ValueError("it reads numbers, and this job tokens")
    pairs: dict[Side, tuple[Vocabulary, Vocabulary]] = {
        "source": (earlier.source, problem.source_vocabulary),
        "target": (earlier.target, problem.target_vocabulary),
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
