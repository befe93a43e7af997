"""The names of all metrics: their direction, their unit and which kind of problem has them.

The one table from which gates, reports and comparisons are generated. Fractions are in 0..1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Family = Literal["tokens", "text", "words", "numbers", "timing"]

DATA_UNIT = "data unit"
"""The unit of a metric that is measured in whatever the data is measured in."""


@dataclass(frozen=True)
class Metric:
    """One number of a result.

    Args:
        direction: which way is better.
        unit: of the number, for reports.
        family: `tokens` for problems that decode tokens, `text` for those that also read text files, `words`
            for those whose targets are words of text, `numbers` for regression, `timing` for every job.
        description: one sentence.
    """

    direction: Literal["higher", "lower"]
    unit: str
    family: Family
    description: str


METRICS: dict[str, Metric] = {
    "sequence_accuracy": Metric(
        "higher", "fraction", "tokens", "Share of sequences predicted exactly (any reference counts)."
    ),
    "unseen_sequence_accuracy": Metric(
        "higher", "fraction", "tokens", "The same over the sequences whose source never stood in training."
    ),
    "token_accuracy": Metric(
        "higher", "fraction", "tokens", "Share of target positions predicted with the right token."
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
        "BLEU of the whole test by sacrebleu, 0 to 100; tokens count as they are (tok:none).",
    ),
    "chrf": Metric("higher", "point", "text", "chrF of the whole test by sacrebleu, 0 to 100."),
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


def leading_metric(kind: str) -> str:
    """Return the metric that every job of a kind of problem has, and is judged by first."""
    return "rmse" if kind == "time_series" else "sequence_accuracy"


def gate_key(metric: str) -> str:
    """Return the gate's key for a metric: `min_` where higher is better, `max_` where lower is."""
    return ("min_" if METRICS[metric].direction == "higher" else "max_") + metric
