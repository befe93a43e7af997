"""Rank the jobs of a batch by a metric, and mark those that cannot be told apart from the best.

Every job is compared with the best one. On the same examples the test is a two-sided paired bootstrap (Efron
and Tibshirani 1993, chapter 16): all jobs are scored on the same resamples, so that what is hard for both
does not count. On other examples of the same problem the samples are independent: shares are compared by
Fisher's exact test, other metrics by independent resamples. The p-values are adjusted for the number of
comparisons (Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from job.evaluation.text_scores import Tokenization
from job.gating.bootstrap import Floats, resampled_scores, two_sided_p_value
from job.gating.confidence_intervals import share_interval
from job.gating.example_counts import ExampleCounts, Split, example_counts
from job.gating.significance_tests import holm, sign_test_minimum, two_proportions
from job.metrics import METRICS, possible_range, within
from job.results.predictions import Prediction
from job.results.ranking_records import Comparability, RankedJob

ALPHA = 0.05
"""Significance level of the comparisons with the best job."""

RESAMPLES = 10_000
"""Number of resamples: p-values down to 1 in 10,000, in a second for some dozens of jobs."""

SHARES = ("sequence_accuracy", "unseen_sequence_accuracy")
"""Metrics that are shares of examples."""

NO_EXAMPLES = "one measurement does not show how much it varies"


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A job to rank.

    Args:
        name: name of the job.
        value: its metric.
        examples: number of examples behind the value; None for times and speeds.
        predictions: for these examples; empty if they are not recorded.
        split: splits targets into tokens; None if only the problem can.
        problem: fingerprint of its problem and evaluation; jobs with the same one measure the same thing.
        tokenize: how its BLEU splits texts; jobs that differ in it do not measure the same BLEU.
    """

    name: str
    value: float
    examples: int | None
    predictions: Sequence[Prediction] = ()
    split: Split | None = None
    problem: str = ""
    tokenize: Tokenization = "none"


@dataclass(frozen=True, kw_only=True)
class _Resampled:
    """The metric of a job on resamples of its examples.

    Args:
        value: on the examples themselves.
        count: number of examples.
        scores: on each resample, (resamples,) float64.
        key: equal for jobs with the same examples, which have the same resamples.
    """

    value: float
    count: int
    scores: Floats
    key: Hashable

    @property
    def deviations(self) -> Floats:
        """The scores less their mean, with the variance of unbiased estimates: (resamples,) float64."""
        deviations: Floats = (self.scores - self.value) * math.sqrt(self.count / max(1, self.count - 1))
        return deviations


@dataclass(frozen=True, kw_only=True)
class _Measured:
    """A candidate, resampled if its examples determine the metric."""

    job: Candidate
    resampled: _Resampled | None = None


@dataclass(frozen=True, kw_only=True)
class _Compared:
    comparison: Comparability
    p_value: float | None = None
    detail: str = ""


def rank_jobs(metric: str, candidates: Sequence[Candidate]) -> tuple[RankedJob, ...]:
    """Return the jobs in the order of a metric, the best first; jobs with equal values stay in their order.

    Args:
        metric: name of the metric in `METRICS`.
        candidates: the jobs that have it.
    """
    higher = METRICS[metric].direction == "higher"
    ordered = sorted(candidates, key=lambda job: job.value, reverse=higher)
    measured = _measure(metric, ordered)
    compared = [_compare(metric, measured[0], other) for other in measured[1:]]
    adjusted = iter(holm([found.p_value for found in compared if found.p_value is not None]))
    ranked = [_ranked(metric, measured[0], _Compared(comparison="best"), None)] if measured else []
    for each, found in zip(measured[1:], compared, strict=True):
        ranked.append(_ranked(metric, each, found, None if found.p_value is None else next(adjusted)))
    return tuple(ranked)


def _ranked(metric: str, each: _Measured, found: _Compared, p_value: float | None) -> RankedJob:
    tied = None if p_value is None else p_value > ALPHA
    return RankedJob(
        name=each.job.name,
        value=each.job.value,
        interval=_interval(metric, each),
        examples=each.job.examples,
        comparison=found.comparison,
        p_value=p_value,
        tied_with_best=True if found.comparison == "best" else tied,
        detail=found.detail,
    )


def _interval(metric: str, each: _Measured) -> tuple[float, float] | None:
    """Return the 95 % interval: Wilson's of a share, else between percentiles of the resamples."""
    if metric in SHARES and each.job.examples:
        return share_interval(each.job.value, each.job.examples)
    if each.resampled is None:
        return None
    low, high = np.quantile(each.resampled.scores, [0.025, 0.975]).tolist()
    if not low < high:  # resamples of predictions without a mistake show no interval
        return None
    return within(possible_range(metric), low, high)  # rounding can make the quantile of 100s larger


# --- resampling ---------------------------------------------------------------------------------------------


def _measure(metric: str, jobs: Sequence[Candidate]) -> list[_Measured]:
    """Score every job on resamples of its examples, jobs with the same examples on the same resamples."""
    groups: dict[Hashable, dict[int, ExampleCounts]] = {}
    for place, job in enumerate(jobs):
        if not job.predictions:
            continue
        if counts := example_counts(metric, job.predictions, job.split, job.value, job.tokenize):
            examples = (_examples_of(job), job.tokenize if metric == "bleu" else "")
            groups.setdefault(examples, {})[place] = counts
    found: dict[int, _Resampled] = {}
    for seed, (key, group) in enumerate(groups.items()):
        stacked = np.stack([counts.counts for counts in group.values()])
        scores = resampled_scores(stacked, [counts.score for counts in group.values()], RESAMPLES, seed)
        for (place, counts), row in zip(group.items(), scores, strict=True):
            found[place] = _Resampled(value=counts.value, count=stacked.shape[1], scores=row, key=key)
    return [_Measured(job=job, resampled=found.get(place)) for place, job in enumerate(jobs)]


def _examples_of(job: Candidate) -> Hashable:
    """Return a key of a job's examples: their ids and targets and, for tokens, their sources.

    A forecast of the same values is the same example however many rows the model reads before it.
    """
    return tuple((p.id, p.targets, "" if p.correct is None else p.source) for p in job.predictions)


# --- comparison with the best job ---------------------------------------------------------------------------


def _compare(metric: str, best: _Measured, other: _Measured) -> _Compared:
    """Compare a job with the best one; its p-value is not adjusted for the other comparisons."""
    if other.job.examples is None:
        return _Compared(comparison="not_comparable", detail=NO_EXAMPLES)
    mine, its = best.resampled, other.resampled
    if mine and its and mine.key == its.key:
        return _Compared(comparison="paired", p_value=_paired(mine, its))
    name = best.job.name
    if not best.job.problem or best.job.problem != other.job.problem:
        return _Compared(comparison="not_comparable", detail=f"its problem is not that of {name}")
    if metric in SHARES:
        p_value = _fisher(best.job, other.job)
    elif mine and its:
        p_value = two_sided_p_value(its.value - mine.value, its.deviations - mine.deviations)
    else:
        return _Compared(comparison="not_comparable", detail="its examples do not determine the metric")
    return _Compared(comparison="unpaired", p_value=p_value, detail=_why_unpaired(best.job, other.job))


def _why_unpaired(best: Candidate, other: Candidate) -> str:
    """Return why two jobs are not compared example by example, as a clause."""
    for job in (best, other):
        if not job.predictions:
            return f"the predictions of {job.name} are not recorded"
    if _examples_of(best) == _examples_of(other):
        return "which of the examples count is not recorded, so that they are compared as independent samples"
    return f"its examples are not those of {best.name}"


def _paired(best: _Resampled, other: _Resampled) -> float:
    """Return the two-sided p-value of a difference on the same examples, at least that of a sign test."""
    p_value = two_sided_p_value(other.value - best.value, other.deviations - best.deviations)
    return min(1.0, max(p_value, 2 * sign_test_minimum(best.count)))


def _fisher(best: Candidate, other: Candidate) -> float:
    """Return the two-sided p-value of a difference between shares of independent examples."""
    counts = [job.examples or 0 for job in (best, other)]
    if not min(counts):
        return 1.0
    right = [round(job.value * count) for job, count in zip((best, other), counts, strict=True)]
    return min(1.0, 2 * two_proportions((right[0], counts[0]), (right[1], counts[1])).p_value)
