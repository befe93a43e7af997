"""The table of metrics: name, direction, unit, and which problems have it.

Gates, reports and comparisons are generated from it. Fractions are in 0..1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

Family = Literal["tokens", "text", "words", "numbers", "timing"]

DATA_UNIT = "data unit"
"""The unit of metrics that are in the unit of the data."""


VALIDATION = "validation."
"""Prefix of the name of a metric of the validation examples, beside that of the test."""


@dataclass(frozen=True)
class Metric:
    """A metric of a result.

    Args:
        direction: whether higher or lower values are better.
        unit: the unit of the values, for reports.
        family: `tokens` for problems that decode tokens, `text` for those that also read text files, `words`
            for those whose targets are words of text, `numbers` for regression, `timing` for every job.
        description: one sentence.
        greatest: the largest possible value; None if there is none. The smallest is 0 for every metric.
    """

    direction: Literal["higher", "lower"]
    unit: str
    family: Family
    description: str
    greatest: float | None = None


METRICS: dict[str, Metric] = {
    "sequence_accuracy": Metric(
        "higher", "fraction", "tokens", "Share of sequences predicted exactly (any reference counts).", 1.0
    ),
    "unseen_sequence_accuracy": Metric(
        "higher",
        "fraction",
        "tokens",
        "The same over the sequences whose source does not occur in the training data.",
        1.0,
    ),
    "token_accuracy": Metric(
        "higher", "fraction", "tokens", "Share of target positions whose token is predicted correctly.", 1.0
    ),
    "edit_rate": Metric(
        "lower",
        "fraction",
        "tokens",
        "Edit distance (insertions, deletions, substitutions) over all sequences, divided by target tokens;"
        " can exceed 1.",
    ),
    "bleu": Metric(
        "higher",
        "point",
        "words",
        "BLEU of the whole test by sacrebleu, 0 to 100; its signature says how texts are split (tok:none, or"
        " tok:13a for subwords).",
        100.0,
    ),
    "chrf": Metric("higher", "point", "text", "chrF of the whole test by sacrebleu, 0 to 100.", 100.0),
    "rmse": Metric(
        "lower",
        DATA_UNIT,
        "numbers",
        "Root of the mean squared error of all forecast values of the test rows.",
    ),
    "persistence_rmse": Metric(
        "lower", DATA_UNIT, "numbers", "The same for a forecast that repeats the last known value."
    ),
    "mae": Metric("lower", DATA_UNIT, "numbers", "Mean absolute error of the same values."),
    "persistence_mae": Metric(
        "lower", DATA_UNIT, "numbers", "The same for a forecast that repeats the last known value."
    ),
    "train_seconds": Metric("lower", "seconds", "timing", "Time spent in training steps."),
    "decoded_sequences_per_second": Metric(
        "higher", "sequences/second", "timing", "Decoding speed over the test set, compilation excluded."
    ),
    "train_examples_per_second": Metric(
        "higher", "examples/second", "timing", "Training speed, compilation excluded."
    ),
}


def possible_range(metric: str) -> tuple[float, float]:
    """Return the smallest and the largest value that a metric can have; infinite where there is none.

    Args:
        metric: its name, `validation.NAME` for that of validation. A name that is not in the table, from a
            later version or a plugin, has no limits.
    """
    known = METRICS.get(metric.removeprefix(VALIDATION))
    if known is None:
        return -math.inf, math.inf
    return 0.0, math.inf if known.greatest is None else known.greatest


def within(limits: tuple[float, float], low: float, high: float) -> tuple[float, float]:
    """Return the part of an interval that is within limits; of one that is outside, the nearest limit."""
    least, most = limits
    return min(max(low, least), most), min(max(high, least), most)


def leading_metric(kind: str) -> str:
    """Return the main metric of a kind of problem, which all its results must have."""
    return "rmse" if kind == "time_series" else "sequence_accuracy"


def gate_key(metric: str) -> str:
    """Return the gate's key for a metric: `min_` where higher is better, `max_` where lower is."""
    return ("min_" if METRICS[metric].direction == "higher" else "max_") + metric
