"""Sentences and numbers that the table, the page and the verdict of a trend share, without markup."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from job.reports.content import column_title
from job.reports.formatting import plain, quantity
from job.trend.metric_changes import SuspectedChange, band_left_by_last_run, changes
from job.trend.metric_series import Series
from job.trend.runs import Run


def title(runs: Sequence[Run]) -> str:
    """Return the number of runs and the time that they cover."""
    return f"{number_of_runs(len(runs))}, {runs[0].report.finished_at} to {runs[-1].report.finished_at}"


def number_of_runs(count: int) -> str:
    """Return a number of runs in words."""
    return f"{count} run" if count == 1 else f"{count} runs"


def value_text(series: Series, value: float, *, brief: bool = False) -> str:
    """Return a value of a series with its unit; if `brief`, without one that the metric's name contains."""
    text = quantity(series.measure, value)
    return text.removesuffix(series.facts.unit).rstrip() if brief else text


def change_sentences(series: Series, runs: Sequence[Run]) -> Iterator[str]:
    """Yield a sentence for each change of a series, and one if its last run is outside the noise band."""
    name = f"{series.job}: {column_title(series.metric)}"
    for change in changes(series):
        kind = {True: "worse", False: "better", None: "changed, by less than counts"}[change.worse]
        before, now = (value_text(series, level.mean) for level in (change.before, change.now))
        yield (
            f"{name} is {kind} from run {change.run + 1} of {len(runs)} on: "
            f"{before} over {number_of_runs(change.before.end - change.before.first)}, then {now} over "
            f"{number_of_runs(change.now.end - change.now.first)} (p {change.now.p_value:.2g})"
        )
    if band := band_left_by_last_run(series):
        low, high = (value_text(series, limit) for limit in band)
        yield (
            f"{name} of the last run, {value_text(series, series.values[-1])}, is "
            f"out of the band of the runs before it, {low} to {high}; one run alone is no change yet"
        )


def suspicion(found: SuspectedChange, runs: Sequence[Run]) -> str:
    """Return a suspected change as a clause."""
    before, after = (value_text(found.series, sum(side) / len(side)) for side in (found.before, found.after))
    return (
        f"{plain(found.series.metric)} of {found.series.job} may be worse from run {found.run + 1} of "
        f"{len(runs)} on: {before} over {number_of_runs(len(found.before))}, then {after} over "
        f"{number_of_runs(len(found.after))}, which are too few to tell it from chance"
    )
