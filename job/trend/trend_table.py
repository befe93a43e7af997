"""Print a trend as a table on the terminal, followed by its changes and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from math import isclose

from rich.console import Console
from rich.text import Text

from job.reports.content import column_title
from job.reports.escaping import terminal
from job.reports.tables import Cell, Column, print_table
from job.trend.change_points import Level
from job.trend.metric_series import Series, uncounted_runs
from job.trend.runs import Run, SkippedReport
from job.trend.trend_content import change_sentences, value_text
from job.trend.trend_verdict import TrendVerdict, judge_trend

_STYLES: dict[str, str] = {"good": "bold green", "unproven": "bold yellow", "bad": "bold red"}


def print_trend(
    runs: Sequence[Run], series: Sequence[Series], console: Console, skipped: Sequence[SkippedReport] = ()
) -> TrendVerdict:
    """Print a row per series, a line per change, which runs do not count, and the verdict.

    Args:
        runs: in the order of time.
        series: of these runs.
        console: where to print; see `job.reports.tables` for how the table adapts to a narrow one.
        skipped: reports that do not count as runs.

    Returns:
        the verdict.
    """
    columns = [Column("job"), Column("metric")]
    columns += [Column(name, right=True) for name in ("runs", "last", "mean", "noise", "since")]
    print_table(columns, [_row(each) for each in series], console)
    console.print()
    verdict = judge_trend(runs, series, skipped)
    sentences = (sentence for each in series for sentence in change_sentences(each, runs))
    for line in [*sentences, *uncounted_runs(runs).values(), *verdict.details]:
        console.print(Text(terminal(line)), soft_wrap=True)
    console.print(Text(terminal(verdict.headline), style=_STYLES[verdict.outlook]), soft_wrap=True)
    return verdict


def _row(series: Series) -> list[Cell]:
    level = series.levels[-1]
    since = f"run {series.runs[level.first] + 1}" if level.first else ""
    last, mean = (value_text(series, value, brief=True) for value in (series.values[-1], level.mean))
    return [
        series.job,
        column_title(series.metric),
        f"{len(series.values)}",
        last,
        mean,
        _noise(series, level),
        since,
    ]


def _noise(series: Series, level: Level) -> str:
    """Return the noise band: its half width, or its ends if it is cut at what is possible."""
    if level.low is None or level.high is None:
        return ""
    above, below = level.high - level.mean, level.mean - level.low
    if isclose(above, below, rel_tol=1e-6, abs_tol=1e-9 * abs(level.mean)):
        return f"± {value_text(series, above, brief=True)}"
    return " to ".join(value_text(series, end, brief=True) for end in (level.low, level.high))
