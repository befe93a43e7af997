"""Confidence intervals of one job's test metrics, from its test predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from job.evaluation.text_scores import recorded_tokenization
from job.gating.bootstrap import resampled_scores
from job.gating.confidence_intervals import share_interval
from job.gating.example_counts import ExampleCounts, example_counts
from job.gating.metric_tests import count_test_examples, target_splitter
from job.gating.ranking import SHARES
from job.metrics import possible_range, within
from job.results.job_result import JobResult
from job.results.predictions import Prediction

RESAMPLES = 2000
"""Number of resamples: at least 1,000 for percentiles (Efron and Tibshirani 1993, chapter 13)."""


def metric_intervals(
    result: JobResult, predictions: Sequence[Prediction]
) -> Mapping[str, tuple[float, float]]:
    """Return the 95 % confidence intervals of a job's test metrics.

    That of a share of examples is Wilson's score interval (1927), the others are between percentiles of
    bootstrap resamples of the test examples. They tell how much a metric varies with the test examples, not
    with the seed of the training. The same predictions give the same intervals.

    Args:
        result: of a finished job.
        predictions: for its test examples; empty if they are not known.

    Returns:
        metric -> (low, high); metrics that the predictions do not determine are missing, and those that
        do not vary with the examples: resamples of predictions without a mistake show no interval.
    """
    metrics, examples = result.metrics, count_test_examples(result)
    found: dict[str, tuple[float, float]] = {}
    for name in SHARES:
        seen = (result.data.seen_in_training or 0) if name == "unseen_sequence_accuracy" else 0
        if 0 <= metrics.get(name, -1.0) <= 1 and examples > seen:
            found[name] = share_interval(metrics[name], examples - seen)
    return found | (_resampled_intervals(result, predictions) if predictions else {})


def _resampled_intervals(
    result: JobResult, predictions: Sequence[Prediction]
) -> dict[str, tuple[float, float]]:
    tokenize, split = recorded_tokenization(result.data.signatures), target_splitter(result)
    by_width: dict[int, dict[str, ExampleCounts]] = {}
    for name, value in result.metrics.items():
        counts = None if name in SHARES else example_counts(name, predictions, split, value, tokenize)
        if counts is not None:
            by_width.setdefault(counts.counts.shape[1], {})[name] = counts
    found = {}
    for group in by_width.values():  # counts of one width are resampled together, which takes less time
        stacked = np.stack([counts.counts for counts in group.values()])
        scores = resampled_scores(stacked, [counts.score for counts in group.values()], RESAMPLES)
        for name, (low, high) in zip(
            group, np.quantile(scores, [0.025, 0.975], axis=1).T.tolist(), strict=True
        ):
            if low < high:
                found[name] = within(possible_range(name), low, high)
    return found
