"""Write a trend as `trend.html`: every metric over the runs, with its noise band and its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from job.reports.formatting import plain
from job.reports.html import template
from job.reports.html_pictures import data_uri
from job.reports.svg import svg
from job.trend.metric_changes import Change, changes
from job.trend.metric_series import Series, uncounted_runs
from job.trend.runs import Run, SkippedReport
from job.trend.trend_content import change_sentences, title
from job.trend.trend_verdict import judge_trend

_COLUMNS = 3
_COLOURS = {True: "C3", False: "C2", None: "0.4"}
"""Colours of a change for the worse, for the better, and of one that is too small to count."""

_SYMBOLS: dict[str, str] = {"good": "✓", "unproven": "?", "bad": "✗"}


@dataclass(frozen=True, kw_only=True)
class JobSection:
    """The content of one job's section.

    Args:
        name: of the job.
        series: its metrics.
        sentences: on its changes, and on runs that do not count.
        description: of the drawing, for screen readers.
        source: the drawing as a data URI.
    """

    name: str
    series: Sequence[Series]
    sentences: Sequence[str]
    description: str
    source: str


def trend_page(runs: Sequence[Run], series: Sequence[Series], skipped: Sequence[SkippedReport] = ()) -> str:
    """Return the page, one file that needs no network and no script.

    Args:
        runs: in the order of time.
        series: of these runs; the series of a job are adjacent.
        skipped: reports that do not count as runs.
    """
    jobs = []
    uncounted = uncounted_runs(runs)
    for name, group in groupby(series, key=lambda each: each.job):
        jobs.append(_section(name, [*group], runs, uncounted.pop(name, "")))
    verdict = judge_trend(runs, series, skipped)
    return template("trend.html").render(
        title=title(runs),
        verdict=verdict,
        symbol=_SYMBOLS[verdict.outlook],
        uncounted=uncounted.values(),
        skipped=skipped,
        jobs=jobs,
        runs=runs,
        worse_from={change.run for each in series for change in changes(each) if change.worse},
    )


def _section(name: str, series: Sequence[Series], runs: Sequence[Run], uncounted: str) -> JobSection:
    sentences = [sentence for each in series for sentence in change_sentences(each, runs)]
    sentences += [uncounted] if uncounted else []
    description = (
        f"{name}: {len(series)} metrics over {len(runs)} runs. {' '.join(sentences) or 'No change.'}"
    )
    return JobSection(
        name=name,
        series=series,
        sentences=sentences,
        description=description,
        source=data_uri(trend_svg(series, title=name, description=description)),
    )


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
