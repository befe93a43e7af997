"""A trend -> lines on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from job.metrics import METRICS
from job.reports.formatting import plain, quantity
from job.trend.change_points import band
from job.trend.metric_series import Run, Series, changes, first_bad, least

_ENOUGH = 5
"""Runs before the last one from which its noise band says something."""


def print_trend(runs: Sequence[Run], series: Sequence[Series], console: Console) -> None:
    """Print a row a series, a line for each change, and the first bad run.

    Args:
        runs: in the order of time.
        series: of them.
        console: where to; at 80 columns the table still holds every column.
    """
    grid = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    grid.add_column("job", overflow="fold")
    grid.add_column("metric")
    for name in ("runs", "last", "mean", "noise", "since"):
        grid.add_column(name, justify="right", no_wrap=True)
    for each in series:
        level = each.levels[-1]
        noise = "" if level.high is None else f"± {_brief(each, level.high - level.mean)}"
        since = f"run {each.runs[level.first] + 1}" if level.first else ""
        numbers = [_brief(each, each.values[-1]), _brief(each, level.mean), noise, since]
        grid.add_row(*map(Text, [each.job, plain(each.metric), f"{len(each.values)}", *numbers]))
    console.print(grid)
    console.print()
    for line in [*(told for each in series for told in lines(each, runs)), verdict(runs, series)]:
        console.print(Text(line), soft_wrap=True)


def lines(series: Series, runs: Sequence[Run]) -> Iterator[str]:
    """Yield a sentence for each change of a series, and one if its last run is out of the noise."""
    for change in changes(series):
        way = {True: "worse", False: "better", None: "changed, by less than counts"}[change.worse]
        before, now = (_shown(series, level.mean) for level in (change.before, change.now))
        yield (
            f"{series.job}: {plain(series.metric)} is {way} from run {change.run + 1} of {len(runs)} on: "
            f"{before} over {_runs(change.before.end - change.before.first)}, then {now} over "
            f"{_runs(change.now.end - change.now.first)} (p {change.now.p_value:.2g})"
        )
    if aside := _aside(series):
        low, high = (_shown(series, bound) for bound in aside)
        yield (
            f"{series.job}: {plain(series.metric)} of the last run, {_shown(series, series.values[-1])}, is "
            f"out of the band of the runs before it, {low} to {high}; one run alone is no change yet"
        )


def _aside(series: Series) -> tuple[float, float] | None:
    """Return the noise band of the runs before the last one, if that is for the worse and out of it."""
    level = series.levels[-1]
    before = series.values[level.first : -1]
    if len(before) < _ENOUGH:
        return None
    low, high = band(before)
    last, middle = series.values[-1], sum(before) / len(before)
    higher_is_better = METRICS[series.metric].direction == "higher"
    if low is None or high is None or abs(last - middle) < least(series.metric, middle):
        return None
    return (low, high) if (last < low if higher_is_better else last > high) else None


def verdict(runs: Sequence[Run], series: Sequence[Series]) -> str:
    """Return which run was the first bad one."""
    change = first_bad(series)
    if change is None:
        return f"no bad run: no metric got worse for good over {_runs(len(runs))}"
    run = runs[change.run]
    commit = f", commit {run.commit}" if run.commit else ""
    last_good = f"; the run before it is {runs[change.run - 1].path}" if change.run else ""
    return (
        f"first bad run: {change.run + 1} of {len(runs)}, {run.path}, finished {run.report.finished_at}"
        f"{commit}: {plain(change.series.metric)} of {change.series.job}{last_good}"
    )


def _shown(series: Series, value: float) -> str:
    return quantity(series.metric, value)


def _brief(series: Series, value: float) -> str:
    """Return a value without a unit that its metric's name says already."""
    return _shown(series, value).removesuffix(METRICS[series.metric].unit).rstrip()


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"


def title(runs: Sequence[Run]) -> str:
    """Return what the trend is of."""
    return f"{_runs(len(runs))}, {runs[0].report.finished_at} to {runs[-1].report.finished_at}"
