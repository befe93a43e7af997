"""Whether a comparison could have detected a total loss; one that could not proves nothing.

All tests of a batch share its alpha (Holm 1979): a change is significant where the number of tests times its
p-value is at most alpha. A test of few examples has a smallest p-value that may be larger than that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from job.gating.bootstrap import bootstrap_minimum
from job.gating.confidence_intervals import round_up
from job.gating.significance_tests import fisher_total_loss, sign_test_minimum
from job.results.records import JobComparison, MetricComparison

_MOST_EXAMPLES = 1_000_000
"""Up to which it is tried how many examples a test needs."""


def total_loss_p_value(metric: MetricComparison) -> float:
    """Return the smallest p-value that a loss can have in a test.

    Where less was right than the smallest change that counts, nothing that counts can be lost: then what
    matters is whether the examples are enough for a loss of all of them.
    """
    if metric.total_loss_p_value is None or _nothing_to_lose(metric):
        return _with_examples(metric, metric.examples, share=1.0)
    return metric.total_loss_p_value


def _nothing_to_lose(metric: MetricComparison) -> bool:
    return metric.metric == "sequence_accuracy" and metric.before < metric.min_effect


def _with_examples(metric: MetricComparison, examples: int, share: float) -> float:
    """Return the smallest p-value of a test of other examples, of which a share was right before."""
    right = round(share * examples)
    if not metric.paired:
        return fisher_total_loss((right, examples), examples)
    return sign_test_minimum(right) if metric.metric == "sequence_accuracy" else bootstrap_minimum(examples)


def comparable(jobs: Sequence[JobComparison]) -> tuple[set[int], int]:
    """Return which jobs could show a total loss, and the number of tests that those share alpha with.

    Jobs that could not are left out one by one, those that need the most first, for each leaves more of alpha
    to the others. That depends on the examples and the baseline alone, never on the candidate's predictions.

    Args:
        jobs: of a batch.

    Returns:
        the places in `jobs` of those that were measured and could, and how many tests they make together.
    """
    left = {i: _least(job) for i, job in enumerate(jobs) if job.metrics and job.verdict != "not_comparable"}
    while True:
        tests = sum(len(jobs[i].metrics) for i in left)
        if not left:
            return set(), 0
        worst = max(left, key=left.__getitem__)
        if left[worst] * tests <= 1:
            return set(left), tests
        del left[worst]


def _least(job: JobComparison) -> float:
    """Return the smallest p-value of a job's loss, as a multiple of its alpha."""
    return min(total_loss_p_value(metric) / metric.alpha for metric in job.metrics)


def too_few(job: JobComparison, tests: int) -> str:
    """Say why a job could not show a total loss, and how many test examples it would take.

    Args:
        job: which was measured.
        tests: that share alpha, its own included.
    """
    metric = min(job.metrics, key=lambda metric: total_loss_p_value(metric) / metric.alpha)
    needed = _needed(metric, metric.alpha / tests)
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


def _needed(metric: MetricComparison, p_value: float) -> int | None:
    """Return how many examples a total loss needs to be significant; None where no number is enough."""
    share = 1.0 if metric.metric != "sequence_accuracy" or _nothing_to_lose(metric) else metric.before
    examples = 1
    while _with_examples(metric, examples, share) > p_value:
        examples = max(examples + 1, round_up(math.ceil(1.05 * examples)))
        if examples > _MOST_EXAMPLES:
            return None
    return examples
