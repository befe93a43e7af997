"""The content of a comparison with a baseline that reports share: sentences and cells, without markup."""

from __future__ import annotations

from collections.abc import Iterator

from job.reports.formatting import change_texts, p_value, plain
from job.reports.what_changed import comparison_changes
from job.results.comparison_records import Comparison, JobComparison, MetricComparison

COMPARISON_COLUMNS = ("job", "verdict", "metric", "baseline", "candidate", "difference", "p")
"""Titles; the last four columns are numbers, three of them in the unit that is named with the metric."""

_ORDER = ("regression", "not_comparable", "improvement", "new", "removed", "unchanged")


def comparison_source(comparison: Comparison) -> str:
    """Return which baseline a batch was compared with."""
    commit = f", commit {comparison.baseline_commit[:12]}" if comparison.baseline_commit else ""
    return f"{comparison.baseline} of {comparison.baseline_finished_at}{commit}"


def sorted_comparisons(comparison: Comparison) -> list[JobComparison]:
    """Return the compared jobs with regressions first and unchanged ones last, else in their order."""
    return sorted(comparison.jobs, key=lambda job: _ORDER.index(job.verdict))


def comparison_cells(metric: MetricComparison | None) -> list[str]:
    """Return the cells of a compared metric, from the column `metric` on; blanks without a metric."""
    if metric is None:
        return [""] * 5
    texts = change_texts(metric.metric, metric.before, metric.now, metric.difference, decimals=2)
    name = plain(metric.metric) + (f" ({texts.unit})" if texts.unit else "")
    return [name, texts.before, texts.now, texts.difference, p_value(metric.adjusted_p_value)]


def comparison_remarks(comparison: Comparison) -> Iterator[str]:
    """Yield the sentences below the table of a comparison: what changed besides metrics, and each job's."""
    yield from comparison_changes(comparison)
    for job in sorted_comparisons(comparison):
        yield from (f"{job.name}: {text}" for text in _job_remarks(job))


def regressions_in_words(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each metric that is worse than the baseline, or why else a job is a regression."""
    for job in comparison.jobs:
        if job.verdict == "regression":
            yield from regression_in_words(job)


def regression_in_words(job: JobComparison) -> Iterator[str]:
    """Yield a line for each metric of a job that is worse, or why else it is a regression."""
    worse = [metric for metric in job.metrics if metric.change == "regression"]
    yield from (f"{job.name}: {_change_in_words(metric)}" for metric in worse)
    if not worse:
        yield f"{job.name}: {job.reason}"


def _change_in_words(metric: MetricComparison) -> str:
    """Return a metric before and after: `sequence accuracy 61.8 -> 45.8 % (-16.0), significant`."""
    texts = change_texts(metric.metric, metric.before, metric.now, metric.difference, decimals=1)
    after = f"{texts.now} {texts.unit}".rstrip()
    return f"{plain(metric.metric)} {texts.before} -> {after} ({texts.difference}), significant"


def _job_remarks(job: JobComparison) -> Iterator[str]:
    if not job.metrics or job.verdict == "not_comparable":
        yield job.reason
    for metric in job.metrics:
        if metric.change != "unchanged" or metric.advice:
            yield f"{metric.test} on {plain(metric.metric)}: {metric.detail}"
        if metric.advice:
            yield metric.advice
    if job.metrics and not job.metrics[0].paired:
        why = job.unpaired or "the examples are not paired"
        yield f"{why}, so only the numbers of correct predictions are compared"
    yield from job.warnings
    if job.speed_note:
        yield job.speed_note
