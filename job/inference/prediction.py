"""What a saved model returns to Python code, and `predict --format json` writes: immutable records."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """A further target that beam search found for a source.

    Args:
        text: The target as the command writes it.
        tokens: The model's tokens of the target, without its end.
        score: See `Prediction`.
    """

    text: str
    tokens: tuple[str, ...]
    score: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {"text": self.text, "tokens": list(self.tokens), "score": self.score}


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """A model's target for one source.

    Args:
        text: The target as the command `predict` writes it.
        tokens: The model's tokens of the target, without its end; an unknown token is `<unk>`. Empty for
            numbers.
        score: The log-probability of the target (the sum over its symbols, the end included) with greedy
            search and with samples; with beam search and with `n_best` that number divided by the length
            penalty of the search, as in `predict --n-best`. 0 for an empty source, NaN for numbers.
        alternatives: With `n_best`, the targets that are second best and so on.
        attention: If requested, how much each token of the target attends to each token of the source,
            (tokens of the target, tokens of the source) float32; each row has sum 1.
        values: The forecast of a model of numbers in the unit of the data, (T,) float64; None for tokens.
    """

    text: str
    tokens: tuple[str, ...] = ()
    score: float = math.nan
    alternatives: tuple[Alternative, ...] = ()
    attention: NDArray[np.float32] | None = field(default=None, compare=False)
    values: NDArray[np.float64] | None = field(default=None, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return the fields that the model has as JSON values, with exactly the numbers of the fields."""
        if self.values is not None:
            return {"text": self.text, "values": self.values.tolist()}
        record: dict[str, Any] = {"text": self.text, "tokens": list(self.tokens), "score": self.score}
        record["alternatives"] = [alternative.to_json() for alternative in self.alternatives]
        if self.attention is not None:
            record["attention"] = self.attention.tolist()
        return record


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What the encoder of a model computes for one source.

    Args:
        states: The context: each state by name, (H,) float32. The last states of a recurrent encoder are
            `h1`, `c1`, `h2`, ...; a Transformer has one, `context`. Empty for an empty source.
        outputs: The encoder's outputs that attention reads, (tokens of the source, H) float32; None without
            attention, for a Transformer and for an empty source.
    """

    states: Mapping[str, NDArray[np.float32]]
    outputs: NDArray[np.float32] | None = None
