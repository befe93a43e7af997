"""The chart of one metric of a job over the runs, as the coordinates that `trend.html` draws."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from job.reports.content import column_title
from job.trend.change_points import Level
from job.trend.metric_changes import changes
from job.trend.metric_series import Series
from job.trend.runs import Run
from job.trend.trend_content import value_text

WIDTH, HEIGHT = 360, 150
"""Size of a chart's view box."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 352, 20, 110
_MAX_DATES = 3


@dataclass(frozen=True, kw_only=True)
class Point:
    """A run in a chart.

    Args:
        x, y: of its mark.
        bad: whether the job failed, failed its gate or is worse than its baseline in this run.
        measured: whether the run has a value; otherwise the mark is a cross at the bottom.
        text: date, value and what is bad, for a tooltip.
        link: URL of the run's report, relative to the page.
    """

    x: float
    y: float
    bad: bool
    measured: bool
    text: str
    link: str


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A metric over the runs.

    Args:
        title: name of the metric.
        description: for screen readers.
        points: a mark for each run.
        levels: lines as their two ends' x, and y.
        bands: the noise bands, rectangles as x, y, width and height.
        steps: changes, as x and `worse`, `better` or `small`.
        dates: x and text of the labels below.
        high, low: the values at the top and at the bottom, as text.
    """

    title: str
    description: str
    points: list[Point]
    levels: list[tuple[float, float, float]]
    bands: list[tuple[float, float, float, float]]
    steps: list[tuple[float, str]]
    dates: list[tuple[float, str]]
    high: str
    low: str


def trend_chart(series: Series, runs: Sequence[Run], links: Sequence[str]) -> Chart:
    """Return the chart of a series.

    Args:
        series: of a metric of a job.
        runs: all of them, in the order of time.
        links: `report_link` of each run, as a URL.
    """
    scale, title = _Scale(series, runs), column_title(series.metric)
    values = " to ".join(value_text(series, value) for value in (min(series.values), max(series.values)))
    return Chart(
        title=title,
        description=f"{title} of {series.job} over {len(series.runs)} runs: {values}",
        points=[*_points(series, runs, scale, links)],
        levels=[_level(series, level, scale) for level in series.levels],
        bands=[*_bands(series, scale)],
        steps=[
            (scale.between(change.run), {True: "worse", False: "better", None: "small"}[change.worse])
            for change in changes(series)
        ],
        dates=_dates(runs, scale),
        high=value_text(series, scale.high),
        low=value_text(series, scale.low),
    )


class _Scale:
    """Maps runs to x, by their dates, and values to y."""

    def __init__(self, series: Series, runs: Sequence[Run]) -> None:
        limits = [limit for level in series.levels for limit in (level.low, level.high)]
        shown = [*series.values, *(limit for limit in limits if limit is not None)]
        self.low, self.high = min(shown), max(shown)
        times = [run.finished.timestamp() for run in runs]
        span = times[-1] - times[0]
        shares = [(time - times[0]) / span if span else 0.5 for time in times]
        self._x = [round(_LEFT + (_RIGHT - _LEFT) * share, 1) for share in shares]

    def x(self, run: int) -> float:
        return self._x[run]

    def between(self, run: int) -> float:
        """Return the x halfway between a run and the one before it."""
        return round((self._x[run - 1] + self._x[run]) / 2, 1)

    def y(self, value: float) -> float:
        span = self.high - self.low
        return round(_BOTTOM - (_BOTTOM - _TOP) * ((value - self.low) / span if span else 0.5), 1)


def _points(series: Series, runs: Sequence[Run], scale: _Scale, links: Sequence[str]) -> Iterator[Point]:
    values = series.by_run
    for number, run in enumerate(runs):
        fault = run.job_faults.get(series.job, "")
        if number not in values and not fault:
            continue
        value = values.get(number)
        parts = [run.finished.date().isoformat(), "" if value is None else value_text(series, value), fault]
        yield Point(
            x=scale.x(number),
            y=_BOTTOM if value is None else scale.y(value),
            bad=bool(fault),
            measured=value is not None,
            text=", ".join(filter(None, parts)),
            link=links[number],
        )


def report_link(run: Run, directory: Path) -> str:
    """Return the path of a run's report for people, relative to a directory; of its JSON if it has none.

    A report in a store has no link: browsers cannot open its URL.
    """
    if run.name != str(run.path):
        return ""
    page = run.path.with_name("report.html")
    target = page if page.is_file() else run.path
    return Path(os.path.relpath(target.resolve(), directory.resolve())).as_posix()


def _level(series: Series, level: Level, scale: _Scale) -> tuple[float, float, float]:
    first, last = scale.x(series.runs[level.first]), scale.x(series.runs[level.end - 1])
    return first, last, scale.y(level.mean)


def _bands(series: Series, scale: _Scale) -> Iterator[tuple[float, float, float, float]]:
    for level in series.levels:
        if level.low is not None and level.high is not None:
            first, last, _ = _level(series, level, scale)
            bottom, top = scale.y(level.low), scale.y(level.high)
            yield first - 3, top, round(last - first + 6, 1), round(bottom - top, 1)


def _dates(runs: Sequence[Run], scale: _Scale) -> list[tuple[float, str]]:
    """Return labels for the first run, one in the middle and the last, without repeating a date."""
    chosen = sorted({0, len(runs) // 2, len(runs) - 1}) if len(runs) >= _MAX_DATES else [0, len(runs) - 1]
    found = {runs[number].finished.date().isoformat(): scale.x(number) for number in reversed(chosen)}
    return sorted((x, text) for text, x in found.items())
