"""Judge the compared jobs of a batch together: which changes are significant, and each job's verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import NormalDist

from job.gating.confidence_intervals import round_up
from job.gating.detectable_loss import jobs_with_detectable_loss, too_few_examples
from job.gating.significance_tests import holm
from job.metrics import METRICS
from job.results.comparison_records import Change, JobComparison, MetricComparison


def judge_together(jobs: Sequence[JobComparison]) -> tuple[JobComparison, ...]:
    """Judge the jobs of a batch, with p-values adjusted for all tests of the batch (Holm 1979).

    Changes for the worse and for the better are two families of tests, each adjusted for itself: if nothing
    changed, a batch raises a false alarm with probability alpha at most, however many jobs it has. A job of
    so few examples that not even a total loss would be significant is not comparable; its tests are not part
    of the families.
    """
    detectable, tests = jobs_with_detectable_loss(jobs)
    metrics = [metric for i in sorted(detectable) for metric in jobs[i].metrics]
    worse = iter(holm([_one_sided(metric, "regression") for metric in metrics]))
    better = iter(holm([_one_sided(metric, "improvement") for metric in metrics]))
    return tuple(
        _judge(job, [_judge_metric(m, next(worse), next(better)) for m in job.metrics])
        if i in detectable
        else _judge_undetectable(job, tests + len(job.metrics))
        for i, job in enumerate(jobs)
    )


# --- metrics ------------------------------------------------------------------------------------------------


def direction(metric: MetricComparison) -> Change:
    """Return whether a metric became worse or better, by however little."""
    if metric.difference == 0:
        return "unchanged"
    rose = metric.difference > 0
    return "improvement" if rose == (METRICS[metric.metric].direction == "higher") else "regression"


def _one_sided(metric: MetricComparison, change: Change) -> float:
    """Return the p-value of a change in one direction; 1 if the metric changed in the other one."""
    return metric.p_value if direction(metric) == change else 1.0


def _judge_metric(metric: MetricComparison, worse: float, better: float) -> MetricComparison:
    """Return a metric with its adjusted p-value, the change that it amounts to, and advice.

    Args:
        metric: as tested.
        worse, better: its adjusted p-values of a change for the worse and for the better.
    """
    change = direction(metric)
    p = {"regression": worse, "improvement": better, "unchanged": 1.0}[change]
    large = change != "unchanged" and abs(metric.difference) >= metric.min_effect * (1 - 1e-9)
    significant = p <= metric.alpha
    return replace(
        metric,
        adjusted_p_value=p,
        change=change if large and significant else "unchanged",
        advice=examples_advice(metric, p) if large and not significant and change == "regression" else None,
    )


def examples_advice(metric: MetricComparison, p_value: float) -> str | None:
    """Return how many examples would make a change of this size significant, as a clause.

    The statistic of a test grows with the square root of the number of examples n, so that about
    n * (z(alpha) / z(p))**2 are needed, z being the quantile function of the standard normal distribution.

    Returns:
        None if the p-value is 0.5 or more: nothing suggests that there is a change.
    """
    if p_value >= 0.5:
        return None
    quantile = NormalDist().inv_cdf
    factor = (quantile(metric.alpha) / quantile(p_value)) ** 2
    needed = math.ceil(factor * metric.examples)
    return f"a change of this size would be significant on about {round_up(needed):,} examples"


# --- jobs ---------------------------------------------------------------------------------------------------


def _judge(job: JobComparison, metrics: Sequence[MetricComparison]) -> JobComparison:
    changes = [metric.change for metric in metrics]
    slower = job.speed_fails and bool(job.warnings)
    verdict: Change = (
        "regression" if "regression" in changes or slower
        else "improvement" if "improvement" in changes else "unchanged"
    )  # fmt: skip
    return replace(job, verdict=verdict, metrics=tuple(metrics), reason=_reason(job, metrics, verdict))


def _judge_undetectable(job: JobComparison, tests: int) -> JobComparison:
    """Return a job that could not show a loss as not comparable; a job judged earlier stays as it is.

    Args:
        job: compared.
        tests: number of tests that would share alpha with its own, including its own.
    """
    if not job.metrics or job.verdict == "not_comparable":
        return job
    metrics = tuple(
        replace(metric, adjusted_p_value=min(1.0, tests * metric.p_value), change="unchanged", advice=None)
        for metric in job.metrics
    )
    if job.speed_fails and job.warnings:
        return replace(job, verdict="regression", metrics=metrics, reason="; ".join(job.warnings))
    return replace(job, verdict="not_comparable", metrics=metrics, reason=too_few_examples(job, tests))


def _reason(job: JobComparison, metrics: Sequence[MetricComparison], verdict: Change) -> str:
    """Return a clause for each metric that changed as the verdict says, or for all if none changed."""
    shown = metrics if verdict == "unchanged" else [m for m in metrics if m.change == verdict]
    slower = job.warnings if verdict == "regression" and job.speed_fails else ()
    return "; ".join([*map(_clause, shown), *slower])


def _clause(metric: MetricComparison) -> str:
    sides = f"{metric.metric} was {metric.before:.6g} and is {metric.now:.6g}"
    chance = f"p {metric.adjusted_p_value:.2g} for all the batch"
    advice = f"; {metric.advice}" if metric.advice else ""
    return f"{sides} ({metric.test}: {metric.detail}; {chance}){advice}"
