"""A trend -> `trend.html`: every metric over the runs, with its noise band and its changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from job.reports.formatting import plain, quantity
from job.reports.html import template
from job.reports.html_pictures import data_uri
from job.reports.svg import svg
from job.trend.metric_series import Change, LeftOut, Run, Series, changes, dropped
from job.trend.trend_lines import lines, title
from job.trend.trend_verdict import judge_trend

_COLUMNS = 3
_COLOURS = {True: "C3", False: "C2", None: "0.4"}
"""Of a change for the worse, for the better, and of one that is too small to count."""


_SYMBOLS: dict[str, str] = {"good": "✓", "unproven": "?", "bad": "✗"}


def trend_page(runs: Sequence[Run], series: Sequence[Series], left_out: Sequence[LeftOut] = ()) -> str:
    """Return the page: one file that needs no network and no script.

    Args:
        runs: in the order of time.
        series: of them, those of a job together.
        left_out: reports that are no runs of it.
    """
    jobs = []
    uncounted = dropped(runs)
    for name, group in groupby(series, key=lambda each: each.job):
        own = [*group]
        told = [line for each in own for line in lines(each, runs)]
        told += [line for line in [uncounted.pop(name, None)] if line]
        seen = f"{name}: {len(own)} metrics over {len(runs)} runs. {' '.join(told) or 'No change.'}"
        jobs.append(
            {
                "name": name,
                "series": own,
                "lines": told,
                "seen": seen,
                "source": data_uri(trend_svg(own, title=name, description=seen)),
            }
        )
    found = judge_trend(runs, series, left_out)
    return template("trend.html").render(
        title=title(runs),
        verdict=found,
        symbol=_SYMBOLS[found.outlook],
        uncounted=uncounted.values(),
        left_out=left_out,
        jobs=jobs,
        runs=runs,
        bad={change.run for each in series for change in changes(each) if change.worse},
        quantity=quantity,
    )


def trend_svg(series: Sequence[Series], *, title: str, description: str) -> str:
    """Draw a panel a series; each series is a group whose id is its metric's name."""
    rows = -(-len(series) // _COLUMNS)

    def paint(figure: Figure) -> None:
        panels = figure.subplots(rows, _COLUMNS, squeeze=False).flat
        for axes, each in zip(panels, series, strict=False):
            _panel(axes, each)
        for axes in [*figure.axes][len(series) :]:
            axes.set_visible(False)

    return svg(paint, width=4 * _COLUMNS, height=0.5 + 2.5 * rows, title=title, description=description)


def _panel(axes: Axes, series: Series) -> None:
    numbers = [run + 1 for run in series.runs]
    axes.plot(numbers, series.values, gid=series.metric, color="C0", linestyle="", marker="o", markersize=3)
    for level in series.levels:
        own = numbers[level.first : level.end]
        axes.hlines(level.mean, own[0], own[-1], color="C0", linewidth=1)
        if level.low is not None and level.high is not None:
            ends = [own[0] - 0.5, own[-1] + 0.5]
            axes.fill_between(ends, level.low, level.high, color="C0", alpha=0.15, linewidth=0)
    for change in changes(series):
        _mark(axes, change)
    axes.set_title(plain(series.metric), fontsize="medium")
    axes.set_xlabel("run")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _mark(axes: Axes, change: Change) -> None:
    axes.axvline(
        change.run + 0.5,
        gid=f"{change.series.metric}-change-{change.run + 1}",
        color=_COLOURS[change.worse],
        linestyle="--" if change.worse is None else "-",
        linewidth=1.2,
    )
