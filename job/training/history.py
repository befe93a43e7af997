"""The history of a training: a row of means for each twentieth of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

DECODED = "val_decoded_"
"""Prefix of the columns with metrics of decoded validation examples."""


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """A row of `history.csv`: means over the steps since the previous row.

    Args:
        step: number of the last of these steps, from 1.
        epoch: number of the epoch, from 1.
        examples: number of examples seen so far.
        loss: cross-entropy in nats per token, or the squared error of scaled numbers.
        token_accuracy: share of correct tokens with teacher forcing; None for numbers.
        sequence_accuracy: share of sequences with correct tokens only; None for numbers.
        learning_rate: learning rate of the last step.
        gradient_norm: global norm of the gradients before clipping.
        val_loss, val_token_accuracy, val_sequence_accuracy: the same for the validation examples, in the last
            row of an epoch; None in others, or if there are no validation examples.
        val_decoded: metric -> value of the decoded validation examples, in the last row of an epoch; empty in
            others, and where the loss decides which epoch is the best.
        seconds: time since training began, with compilation.
    """

    step: int
    epoch: int
    examples: int
    loss: float
    token_accuracy: float | None = None
    sequence_accuracy: float | None = None
    learning_rate: float
    gradient_norm: float
    val_loss: float | None = None
    val_token_accuracy: float | None = None
    val_sequence_accuracy: float | None = None
    val_decoded: dict[str, float] = field(default_factory=dict)
    seconds: float

    def columns(self) -> dict[str, int | float | None]:
        """Return the values by column of `history.csv`: `val_decoded_METRIC` for each decoded metric."""
        decoded = {f"{DECODED}{name}": value for name, value in self.val_decoded.items()}
        own = {k: v for k, v in vars(self).items() if k not in ("val_decoded", "seconds")}
        return {**own, **decoded, "seconds": self.seconds}


def mean_statistics(statistics: Mapping[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return loss and accuracies by the names of the history's columns.

    Args:
        statistics: the sums of `Objective.sums` over steps or parts, by name, (n,) each.
    """
    sums = {k: float(v.sum()) for k, v in statistics.items()}
    means = {"loss": sums["loss"] / sums["tokens"]}
    if "correct_tokens" in sums:
        means["token_accuracy"] = sums["correct_tokens"] / sums["tokens"]
        means["sequence_accuracy"] = sums["correct_rows"] / sums["rows"]
    return means
