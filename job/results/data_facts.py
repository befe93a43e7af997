"""Facts about a job's data and training: the `data` section of a result, typed, to and from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict

Count = Annotated[int, Strict(), Field(ge=0)]

_DESCRIPTION = "problem"
"""Key of the problem's own description."""

_NULL_BESIDE = {"best_epoch": "steps", "resumed_from_step": "steps", "source_space": "seen_in_training"}
"""Field -> the field beside which JSON has it even where it is null."""


@dataclass(frozen=True, kw_only=True)
class Separators:
    """The text between two tokens of each side.

    Args:
        source, target: the separator; absent where the vocabulary splits texts by code of its own.
    """

    source: str | None = None
    target: str | None = None


@dataclass(frozen=True, kw_only=True)
class TokenCounts:
    """Numbers of tokens in a test set.

    Args:
        source: in the sources.
        target: in all reference targets.
        predicted: in the predictions.
    """

    source: Count
    target: Count
    predicted: Count


@dataclass(frozen=True, kw_only=True)
class MixedPart:
    """One part of mixed training data.

    Args:
        files: the names of its files, as written in the spec.
        weight: its weight.
        pairs: number of its training pairs.
        drawn: number of training examples that were drawn from it, over all epochs.
    """

    files: tuple[str, ...]
    weight: float
    pairs: Count
    drawn: Count


@dataclass(frozen=True, kw_only=True)
class DataFacts:
    """Facts about a job's data and training.

    JSON has the description's entries a second time beside the facts, unless a fact has the same name:
    results of earlier versions have them only there. Facts that are not known are left out.

    Args:
        train_examples: number of training examples seen, over all epochs.
        epochs: number of finished epochs.
        steps: number of training steps.
        stopped_early: whether training ended before its last epoch because validation no longer improved.
        best_epoch: 1-based number of the epoch whose weights the model has; null if validation did not
            decide which it is.
        resumed_from_step: the step of the checkpoint from which training was resumed; null if it was not.
        test_examples: number of test examples.
        seen_in_training: number of test sources that occur in the training data; absent for numbers.
        source_space: number of different sources that the problem has, at most 10^18; null if unknown.
        signatures: metric -> the signature of the library that computed it.
        not_measured: metric -> the reason why it is not defined for this test, as a clause.
        separators: what joins the tokens of each side; absent for numbers.
        test_tokens: number of tokens in the test; absent where no token can be unknown.
        unknown_tokens: number of these that the vocabulary does not have.
        mixture: the parts of mixed training data; absent if they were not mixed.
        problem: what the problem's `describe()` returned.
    """

    train_examples: Count | None = None
    epochs: Count | None = None
    steps: Count | None = None
    stopped_early: bool | None = None
    best_epoch: Count | None = None
    resumed_from_step: Count | None = None
    test_examples: Count | None = None
    seen_in_training: Count | None = None
    source_space: Count | None = None
    signatures: dict[str, str] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    separators: Separators | None = None
    test_tokens: TokenCounts | None = None
    unknown_tokens: TokenCounts | None = None
    mixture: tuple[MixedPart, ...] = ()
    problem: dict[str, Any] = field(default_factory=dict)

    def to_record(self) -> dict[str, Any]:
        """Return the JSON object of `data`."""
        values = asdict(self)
        if self.separators is not None:
            values["separators"] = {k: v for k, v in asdict(self.separators).items() if v is not None}
        described = values.pop(_DESCRIPTION)
        facts = {name: value for name, value in values.items() if _is_written(name, values)}
        copies = {key: value for key, value in described.items() if key not in _NAMES}
        return {**copies, **facts, **({_DESCRIPTION: described} if described else {})}


_NOT_IF_EMPTY = {"signatures", "not_measured", "mixture"}
_NAMES = frozenset(f.name for f in fields(DataFacts))


def _is_written(name: str, values: Mapping[str, Any]) -> bool:
    if values[name] is None:
        return name in _NULL_BESIDE and values[_NULL_BESIDE[name]] is not None
    return bool(values[name]) or name not in _NOT_IF_EMPTY


def _from_record(record: object) -> object:
    """Return the fields of `DataFacts` from a JSON object, for validation; other values unchanged.

    Keys that are no facts belong to the description: results of earlier versions have them only there.
    """
    if not isinstance(record, Mapping):
        return record
    described = record.get(_DESCRIPTION)
    nested = described if isinstance(described, Mapping) else {}
    own = {key: value for key, value in record.items() if key not in _NAMES}
    if _DESCRIPTION in record and not isinstance(described, Mapping):  # of a plugin, by an earlier version
        own[_DESCRIPTION] = described
    facts = {key: value for key, value in record.items() if key in _NAMES and key != _DESCRIPTION}
    return {**facts, _DESCRIPTION: {**own, **nested}}


DataSection = Annotated[DataFacts, BeforeValidator(_from_record)]
"""`DataFacts`, read from the JSON object of `data`."""
