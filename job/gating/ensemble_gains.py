"""The gain of an ensemble over its single models on the same test examples, with its p-value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from job.evaluation.text_scores import Tokenization
from job.gating.bootstrap import Floats, resampled_scores, two_sided_p_value
from job.gating.example_counts import ExampleCounts, Split, example_counts
from job.gating.significance_tests import sign_test_minimum
from job.metrics import METRICS
from job.results.ensemble_records import EnsembleMetric
from job.results.predictions import Prediction

RESAMPLES = 10_000
"""Number of resamples: p-values down to 1 in 10,000."""


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Predictions with the metrics that they give.

    Args:
        metrics: metric -> value.
        predictions: for the test examples, the same for the ensemble and for every single model.
    """

    metrics: Mapping[str, float]
    predictions: Sequence[Prediction]


def ensemble_metrics(
    ensemble: Scored, singles: Mapping[str, Scored], split: Split | None, tokenize: Tokenization = "none"
) -> tuple[EnsembleMetric, ...]:
    """Return the metrics that an ensemble and all its single models have, in the order of `METRICS`.

    The p-values are two-sided, by a paired bootstrap of the examples (Efron and Tibshirani 1993, chapter 16):
    the ensemble and all single models are scored on the same resamples.

    Args:
        ensemble: its predictions.
        singles: name -> predictions of each single model.
        split: splits targets into tokens; None if only the problem can.
        tokenize: how BLEU splits texts.
    """
    present = [ensemble.metrics, *(single.metrics for single in singles.values())]
    names = [name for name in METRICS if all(name in metrics for metrics in present)]
    return tuple(_metric(name, ensemble, singles, split, tokenize) for name in names)


def _metric(
    metric: str,
    ensemble: Scored,
    singles: Mapping[str, Scored],
    split: Split | None,
    tokenize: Tokenization,
) -> EnsembleMetric:
    sign = 1.0 if METRICS[metric].direction == "higher" else -1.0
    value, values = ensemble.metrics[metric], [single.metrics[metric] for single in singles.values()]
    best = max(range(len(values)), key=lambda place: sign * values[place])
    mean = math.fsum(values) / len(values)
    counts = [
        example_counts(metric, each.predictions, split, each.metrics[metric], tokenize)
        for each in (ensemble, *singles.values())
    ]
    known = [each for each in counts if each is not None]
    over_mean, over_best = _p_values(known, best) if len(known) == len(counts) else (None, None)
    return EnsembleMetric(
        metric=metric,
        value=value,
        singles=tuple(values),
        mean=mean,
        best=values[best],
        best_job=[*singles][best],
        gain_over_mean=sign * (value - mean) + 0.0,  # turns -0.0 into 0.0
        gain_over_best=sign * (value - values[best]) + 0.0,
        p_value_over_mean=over_mean,
        p_value_over_best=over_best,
    )


def _p_values(counts: Sequence[ExampleCounts], best: int) -> tuple[float, float]:
    """Return the p-values of the ensemble against the mean and the best of the single models.

    Args:
        counts: of the ensemble, then of each single model.
        best: index of the best single model.
    """
    stacked = np.stack([each.counts for each in counts])
    count = stacked.shape[1]
    scores = resampled_scores(stacked, [each.score for each in counts], RESAMPLES)
    values: Floats = np.array([each.value for each in counts])
    deviations = (scores - values[:, None]) * math.sqrt(count / max(1, count - 1))
    over_mean = two_sided_p_value(
        float(values[0] - values[1:].mean()), deviations[0] - deviations[1:].mean(axis=0)
    )
    over_best = two_sided_p_value(float(values[0] - values[1 + best]), deviations[0] - deviations[1 + best])
    least = 2 * sign_test_minimum(count)
    return min(1.0, max(over_mean, least)), min(1.0, max(over_best, least))
