"""A trend -> lines on the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from job.metrics import METRICS
from job.reports.escaping import terminal
from job.reports.formatting import plain, quantity
from job.reports.tables import Cell, Column, print_table
from job.trend.change_points import band
from job.trend.metric_series import LeftOut, Run, Series, changes, dropped, least
from job.trend.trend_verdict import TrendVerdict, judge_trend, number_of_runs
from job.trend.unproven import ENOUGH

_STYLES: dict[str, str] = {"good": "bold green", "unproven": "bold yellow", "bad": "bold red"}


def print_trend(
    runs: Sequence[Run], series: Sequence[Series], console: Console, left_out: Sequence[LeftOut] = ()
) -> TrendVerdict:
    """Print a row a series, a line for each change, which runs do not count, and the verdict; return that.

    Args:
        runs: in the order of time.
        series: of them.
        console: where to; see `job.reports.tables` for what becomes of the table in a narrow one.
        left_out: reports that are no runs of it.
    """
    columns = [Column("job"), Column("metric")]
    columns += [Column(name, right=True) for name in ("runs", "last", "mean", "noise", "since")]
    print_table(columns, [_row(each) for each in series], console)
    console.print()
    found = judge_trend(runs, series, left_out)
    changed = (told for each in series for told in lines(each, runs))
    for line in [*changed, *dropped(runs).values(), *found.details]:
        console.print(Text(terminal(line)), soft_wrap=True)
    console.print(Text(terminal(found.headline), style=_STYLES[found.outlook]), soft_wrap=True)
    return found


def _row(series: Series) -> list[Cell]:
    level = series.levels[-1]
    noise = "" if level.high is None else f"± {_brief(series, level.high - level.mean)}"
    since = f"run {series.runs[level.first] + 1}" if level.first else ""
    numbers = [_brief(series, series.values[-1]), _brief(series, level.mean), noise, since]
    return [series.job, plain(series.metric), f"{len(series.values)}", *numbers]


def lines(series: Series, runs: Sequence[Run]) -> Iterator[str]:
    """Yield a sentence for each change of a series, and one if its last run is out of the noise."""
    for change in changes(series):
        way = {True: "worse", False: "better", None: "changed, by less than counts"}[change.worse]
        before, now = (_shown(series, level.mean) for level in (change.before, change.now))
        yield (
            f"{series.job}: {plain(series.metric)} is {way} from run {change.run + 1} of {len(runs)} on: "
            f"{before} over {number_of_runs(change.before.end - change.before.first)}, then {now} over "
            f"{number_of_runs(change.now.end - change.now.first)} (p {change.now.p_value:.2g})"
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
    if len(before) < ENOUGH:
        return None
    low, high = band(before)
    last, middle = series.values[-1], sum(before) / len(before)
    higher_is_better = METRICS[series.metric].direction == "higher"
    if low is None or high is None or abs(last - middle) < least(series.metric, middle):
        return None
    return (low, high) if (last < low if higher_is_better else last > high) else None


def verdict(runs: Sequence[Run], series: Sequence[Series], left_out: Sequence[LeftOut] = ()) -> str:
    """Return the verdict in one line: which run was the first bad one, if any."""
    return judge_trend(runs, series, left_out).headline


def _shown(series: Series, value: float) -> str:
    return quantity(series.metric, value)


def _brief(series: Series, value: float) -> str:
    """Return a value without a unit that its metric's name says already."""
    return _shown(series, value).removesuffix(METRICS[series.metric].unit).rstrip()


def title(runs: Sequence[Run]) -> str:
    """Return what the trend is of."""
    return f"{number_of_runs(len(runs))}, {runs[0].report.finished_at} to {runs[-1].report.finished_at}"
