"""Counts of each example, from whose sums a metric follows: with them resamples can be scored."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from job.evaluation.scores import Floats, edit_distances, power_of_two
from job.evaluation.text_scores import SCORE_FROM_COUNTS, Tokenization, bleu_is_defined, text_counts
from job.results.predictions import Prediction

_TOLERANCE = 1e-9
"""Largest relative difference between a recorded metric and that of the counts: rounding."""

Split = Callable[[str], list[str]]
"""Function that splits a target into tokens."""


@dataclass(frozen=True, kw_only=True)
class ExampleCounts:
    """The counts of n examples for one metric.

    Args:
        counts: (n, k) float64.
        score: sums of counts (..., k) -> the metric (...).
    """

    counts: Floats
    score: Callable[[Floats], Floats]

    @property
    def value(self) -> float:
        """The metric over all examples."""
        return float(self.score(self.counts.sum(axis=0)))


def example_counts(
    metric: str,
    predictions: Sequence[Prediction],
    split: Split | None,
    recorded: float,
    tokenize: Tokenization = "none",
) -> ExampleCounts | None:
    """Return the counts of predictions for a metric.

    Args:
        metric: name of the metric.
        predictions: of n > 0 examples.
        split: splits targets into tokens; None if only the problem can, whose predictions record their edits.
        recorded: the metric as the evaluation recorded it.
        tokenize: how BLEU splits texts.

    Returns:
        None if the predictions do not determine the metric, or are not those that gave the recorded one.
    """
    counted: dict[str, Callable[[], ExampleCounts | None]] = {
        "sequence_accuracy": lambda: _sequence_accuracy(predictions),
        "token_accuracy": lambda: _token_accuracy(predictions, split, recorded),
        "edit_rate": lambda: _edit_rate(predictions, split),
        "bleu": lambda: _text(metric, predictions, tokenize),
        "chrf": lambda: _text(metric, predictions, tokenize),
        "rmse": lambda: _numbers(predictions, squared=True),
        "mae": lambda: _numbers(predictions, squared=False),
    }
    found = counted[metric]() if metric in counted else None
    if found is None or metric in ("rmse", "mae"):  # forecasts are written rounded
        return found
    return found if math.isclose(found.value, recorded, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE) else None


def _ratio(parts: Floats, wholes: Floats) -> ExampleCounts:
    """Return counts for a metric that is a sum (n,) divided by another one."""
    return ExampleCounts(counts=np.stack([parts, wholes], axis=1), score=_quotient)


def _quotient(sums: Floats) -> Floats:
    part, whole = np.moveaxis(sums, -1, 0)
    quotient: Floats = part / np.maximum(whole, 1.0)
    return quotient


def _sequence_accuracy(predictions: Sequence[Prediction]) -> ExampleCounts:
    right = np.array([prediction.correct is True for prediction in predictions], np.float64)
    return _ratio(right, np.ones(len(predictions)))


def _token_accuracy(
    predictions: Sequence[Prediction], split: Split | None, recorded: float
) -> ExampleCounts | None:
    """Return the correct positions and all positions of each first reference target.

    The end of a target is a position if lengths vary. That, and whether decoding was cut off there, is not in
    the text, so the counts are those that give the recorded metric.
    """
    if split is None:
        return None
    rows = [(split(prediction.scored), split(prediction.target)) for prediction in predictions]
    hits = np.array([sum(a == b for a, b in zip(*row, strict=False)) for row in rows], np.float64)
    tokens = np.array([len(target) for _, target in rows], np.float64)
    ends = np.array([len(predicted) == len(target) for predicted, target in rows], np.float64)
    for counted in (_ratio(hits, tokens), _ratio(hits + ends, tokens + 1)):
        if math.isclose(counted.value, recorded, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            return counted
    return None


def _edit_rate(predictions: Sequence[Prediction], split: Split | None) -> ExampleCounts | None:
    if split is not None:
        pairs = [
            edit_distances([split(p.scored)], [[split(text) for text in p.targets]]) for p in predictions
        ]
    elif all(prediction.edits is not None for prediction in predictions):
        pairs = [prediction.edits or (0, 0) for prediction in predictions]
    else:
        return None
    edits, tokens = np.array(pairs, np.float64).T
    return _ratio(edits, tokens)


def _text(metric: str, predictions: Sequence[Prediction], tokenize: Tokenization) -> ExampleCounts | None:
    references = [prediction.targets for prediction in predictions]
    words = metric == "bleu"
    if words and not bleu_is_defined(references, tokenize):
        return None
    scored = [prediction.scored for prediction in predictions]
    counts = text_counts(scored, references, words=words, tokenize=tokenize)
    return ExampleCounts(counts=counts[metric], score=SCORE_FROM_COUNTS[metric])


def _numbers(predictions: Sequence[Prediction], *, squared: bool) -> ExampleCounts | None:
    """Return the errors and the numbers of values; scaled by a power of two, so that no square overflows.

    None if a text of the predictions is not a list of numbers.
    """
    try:
        errors = [_errors(prediction) for prediction in predictions]
    except ValueError:
        return None
    unit = power_of_two(np.concatenate(errors))
    sums = [np.sum((e / unit) ** 2) if squared else np.sum(np.abs(e / unit)) for e in errors]
    mean = _ratio(np.array(sums, np.float64), np.array([len(e) for e in errors], np.float64))

    def score(totals: Floats) -> Floats:
        means = mean.score(totals)
        scaled: Floats = unit * (np.sqrt(means) if squared else means)
        return scaled

    return ExampleCounts(counts=mean.counts, score=score)


def _errors(prediction: Prediction) -> Floats:
    predicted, target = (
        np.array(text.split(), np.float64) for text in (prediction.predicted, prediction.target)
    )
    errors: Floats = predicted - target
    return errors
