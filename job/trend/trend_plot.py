"""Draw the metrics of a job over runs as an SVG, with noise bands and changes."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from job.reports.formatting import plain
from job.reports.svg import svg
from job.trend.metric_changes import Change, changes
from job.trend.metric_series import Series

_COLUMNS = 3
_COLOURS = {True: "C3", False: "C2", None: "0.4"}
"""Colours of changes: for the worse, for the better, and too small to count."""


def trend_svg(series: Sequence[Series], *, title: str, description: str) -> str:
    """Draw a panel per series; each series is a group whose id is its metric's name."""
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
        _draw_change(axes, change)
    axes.set_title(plain(series.metric), fontsize="medium")
    axes.set_xlabel("run")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_change(axes: Axes, change: Change) -> None:
    axes.axvline(
        change.run + 0.5,
        gid=f"{change.series.metric}-change-{change.run + 1}",
        color=_COLOURS[change.worse],
        linestyle="--" if change.worse is None else "-",
        linewidth=1.2,
    )
