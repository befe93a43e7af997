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
"""Number of examples that are validated at once."""


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
) -> dict[str, float]:
    """Return the loss and, for tokens, the accuracies of examples, with teacher forcing.

    Args:
        sums: (source, target) -> the sums of `Objective.sums`.
        examples: the validation examples; may be empty.
        before_part: called before each part of at most `VALIDATION_ROWS` examples.

    Returns:
        `loss`, `token_accuracy` and `sequence_accuracy`, see `HistoryRow`; empty without examples.
    """
    parts = []
    for first in range(0, len(examples), VALIDATION_ROWS):
        before_part()
        rows = slice(first, first + VALIDATION_ROWS)
        parts.append(sums(tf.constant(examples.source[rows]), tf.constant(examples.target[rows])))
    if not parts:
        return {}
    return mean_statistics({k: np.array([float(part[k]) for part in parts]) for k in parts[0]})
