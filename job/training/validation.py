"""Validation after each epoch, with teacher forcing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from job.problems.base import Examples, Windows
from job.training.history import mean_statistics

VALIDATION_ROWS = 1000
"""Number of examples that are validated at once, unless they have large vocabularies."""

MAX_VALUES = 1 << 25
"""Maximum number of float32 numbers of logits, one-hot inputs and attention scores of a part: 128 MiB."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How a metric of the validation examples is measured at the end of an epoch.

    Args:
        take_weights: copies the model's current weights, which will be evaluated.
        value: measures the metric with the weights that were taken; calls its argument before each part of at
            most `VALIDATION_ROWS` examples.
    """

    take_weights: Callable[[], None]
    value: Callable[[Callable[[], None]], float]


def validate(
    sums: Callable[[Any, Any], Any],
    examples: Examples | Windows,
    before_part: Callable[[], None] = lambda: None,
    *,
    widths: tuple[int, int] = (1, 1),
    heads: int = 0,
) -> dict[str, float]:
    """Return the loss and, for tokens, the accuracies of examples, with teacher forcing.

    Args:
        sums: (source, target) -> the sums of `Objective.sums`.
        examples: the validation examples; may be empty.
        before_part: called before each part of at most `VALIDATION_ROWS` examples.
        widths: see `job.problems.base.widths`; with large ones parts are smaller.
        heads: number of attention heads, whose scores grow with the square of the length.

    Returns:
        `loss`, `token_accuracy` and `sequence_accuracy`, see `HistoryRow`; empty without examples.
    """
    parts = []
    lengths = examples.source.shape[1], examples.target.shape[1]
    values = sum(length * width for length, width in zip(lengths, widths, strict=True))
    values += heads * max(lengths) ** 2
    count = min(VALIDATION_ROWS, max(1, MAX_VALUES // max(1, values)))
    for first in range(0, len(examples), count):
        before_part()
        rows = slice(first, first + count)
        parts.append(sums(tf.constant(examples.source[rows]), tf.constant(examples.target[rows])))
    if not parts:
        return {}
    return mean_statistics({k: np.array([float(part[k]) for part in parts]) for k in parts[0]})
