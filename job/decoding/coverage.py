"""The coverage penalty of beam search: hypotheses should attend to the whole source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

LEAST_COVERAGE = 1e-10
"""Attention of a source position that was never attended to: its logarithm must be finite."""


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """The coverage penalty of Wu et al. 2016 (GNMT), equation 14, for a batch of N sources.

    Args:
        beta: Factor of the penalty.
        attended: Function from the states after a step to the attention weights of the step, (M, S) float32.
        mask: (N, S) bool, False for padding.
    """

    beta: float
    attended: Callable[[Any], Any]
    mask: Any

    def penalty(self, seen: Any) -> Any:
        """Return beta times the sum over source positions of log(min(seen, 1)).

        Args:
            seen: Sum of the attention weights over the symbols so far, (N, K, S) float32.

        Returns:
            (N, K) float32, at most 0.
        """
        logs = tf.math.log(tf.clip_by_value(seen, LEAST_COVERAGE, 1.0))
        return self.beta * tf.reduce_sum(tf.where(self.mask[:, None], logs, 0.0), axis=2)
