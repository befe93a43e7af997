"""The tokens of the model that a training starts from, to which the data of the new job add theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from job.problems.base import Problem
from job.problems.subwords import Subwords
from job.problems.vocabulary import FEATURE, EarlierTokens, Vocabulary
from job.spec.text_pairs_section import Tokens
from job.storage.documents import read_json

_RECORD_BYTES = 1 << 30


def earlier_tokens(record: Mapping[str, Any]) -> EarlierTokens | None:
    """Return what a model reads and writes; None if it reads numbers.

    Args:
        record: the content of its `vocabulary.json`.

    Raises:
        ValueError: `record` is not that.
    """
    if not isinstance(record, Mapping):
        raise ValueError("not a vocabulary: expected an object")
    if "source" not in record:
        return None
    try:
        source, target = (Vocabulary.from_json(record[side]) for side in ("source", "target"))
        return EarlierTokens(source, target, int(record["max_target_length"]))
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a vocabulary: {error}") from None


def tokens_of(problem: Problem) -> EarlierTokens | None:
    """Return what a model of a problem reads and writes; None if it reads numbers."""
    if problem.target_kind == "numbers":
        return None
    return EarlierTokens(problem.source_vocabulary, problem.target_vocabulary, problem.max_target_length)


def read_earlier_tokens(model: Path) -> EarlierTokens | None:
    """Return what the model in a model directory reads and writes; None if it reads numbers.

    Raises:
        OSError: its `vocabulary.json` cannot be read.
        ValueError: it is damaged.
    """
    return earlier_tokens(read_json(model / "vocabulary.json", _RECORD_BYTES))


def own_tokens(model: Path) -> EarlierTokens | None:
    """Return the tokens of the very model that is evaluated again; otherwise as `read_earlier_tokens`."""
    found = read_earlier_tokens(model)
    return None if found is None else replace(found, complete=True)


def kept_tokens(earlier: Iterable[Vocabulary], tokens: Tokens, *, features: bool) -> tuple[str, ...]:
    """Return the tokens of earlier vocabularies that a new one has too, each once, in their order.

    Args:
        earlier: the vocabularies; those of tokens of another kind have none.
        tokens: the kind of tokens.
        features: whether the new vocabulary has features; those of the earlier ones are left out otherwise.
    """
    kept = (
        token
        for vocabulary in earlier
        if vocabulary.kind == tokens
        for i, token in enumerate(vocabulary.tokens)
        if i not in vocabulary.reserved and _is_one(token, tokens, features)
    )
    return tuple(dict.fromkeys(kept))


def kept_subwords(earlier: Iterable[Vocabulary]) -> Subwords | None:
    """Return the subword model of earlier vocabularies; None if there is none, or more than one."""
    models = {vocabulary.subwords for vocabulary in earlier if vocabulary.subwords is not None}
    return models.pop() if len(models) == 1 else None


def _is_one(token: str, tokens: Tokens, features: bool) -> bool:
    """Return whether texts can have this token: problems of other packages may split them as they like."""
    match tokens:
        case "subwords":
            return True
        case _ if token.startswith(FEATURE) and len(token) > 1:
            return features
        case "characters":
            return len(token) == 1
        case _:
            return token.split() == [token]
