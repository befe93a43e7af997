"""Whether a comparison has enough test examples to detect a total loss; if not, its result proves nothing.

All tests of a batch share alpha (Holm 1979): the smallest p-value of m tests is significant if m times it is
at most alpha. The smallest p-value that a test of few examples can have may be larger than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from job.gating.bootstrap import bootstrap_minimum
from job.gating.confidence_intervals import round_up
from job.gating.significance_tests import fisher_total_loss, sign_test_minimum
from job.results.comparison_records import JobComparison, MetricComparison

_MAX_EXAMPLES = 1_000_000
"""Largest number of examples that `_examples_needed` tries."""


def jobs_with_detectable_loss(jobs: Sequence[JobComparison]) -> tuple[set[int], int]:
    """Return the jobs for which a total loss would be significant, and the number of their tests.

    Jobs for which it would not be are removed one by one, the one with the largest p-value first, because
    each leaves more of alpha to the others. This depends on the examples and the baseline alone, never on the
    candidate's predictions.

    Args:
        jobs: all compared jobs of a batch.

    Returns:
        the indices in `jobs`, and the number of tests that share alpha.
    """
    left = {
        i: _smallest_share_of_alpha(job)
        for i, job in enumerate(jobs)
        if job.metrics and job.verdict != "not_comparable"
    }
    while left:
        tests = sum(len(jobs[i].metrics) for i in left)
        worst = max(left, key=left.__getitem__)
        if left[worst] * tests <= 1:
            return set(left), tests
        del left[worst]
    return set(), 0


def too_few_examples(job: JobComparison, tests: int) -> str:
    """Return why a total loss of a job would not be significant and how many examples it takes, as a clause.

    Args:
        job: compared.
        tests: number of tests that share alpha, including its own.
    """
    metric = min(job.metrics, key=lambda metric: total_loss_p_value(metric) / metric.alpha)
    needed = _examples_needed(metric, metric.alpha / tests)
    remedy = (
        f"at least {needed:,} test examples are needed (evaluation.examples)" if needed
        else "compare fewer jobs at once (--only)"
    )  # fmt: skip
    count = f"{metric.examples:,} test example{'' if metric.examples == 1 else 's'}"
    return (
        f"on {count} even a total loss could be chance ({metric.test}: p {total_loss_p_value(metric):.2g}, "
        f"and {metric.alpha / tests:.2g} would be significant in a batch of {tests:,} "
        f"test{'' if tests == 1 else 's'}); {remedy}"
    )


def total_loss_p_value(metric: MetricComparison) -> float:
    """Return the smallest p-value that a loss of a metric can have.

    If the baseline's accuracy is below the smallest change that counts, there is nothing to lose; then the
    p-value is the one that a baseline with every example right would have.
    """
    if metric.total_loss_p_value is None or _has_nothing_to_lose(metric):
        return _p_value_on(metric, metric.examples, share=1.0)
    return metric.total_loss_p_value


def _smallest_share_of_alpha(job: JobComparison) -> float:
    """Return the smallest p-value of a total loss of a job, divided by alpha."""
    return min(total_loss_p_value(metric) / metric.alpha for metric in job.metrics)


def _has_nothing_to_lose(metric: MetricComparison) -> bool:
    return metric.metric == "sequence_accuracy" and metric.before < metric.min_effect


def _p_value_on(metric: MetricComparison, examples: int, share: float) -> float:
    """Return the p-value of a total loss on another number of examples, a share of which was right before."""
    right = round(share * examples)
    if not metric.paired:
        return fisher_total_loss((right, examples), examples)
    return sign_test_minimum(right) if metric.metric == "sequence_accuracy" else bootstrap_minimum(examples)


def _examples_needed(metric: MetricComparison, p_value: float) -> int | None:
    """Return about how many examples a total loss needs to reach a p-value; None above `_MAX_EXAMPLES`."""
    share = 1.0 if metric.metric != "sequence_accuracy" or _has_nothing_to_lose(metric) else metric.before
    examples = 1
    while _p_value_on(metric, examples, share) > p_value:
        examples = max(examples + 1, round_up(math.ceil(1.05 * examples)))
        if examples > _MAX_EXAMPLES:
            return None
    return examples
