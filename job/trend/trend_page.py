"""Write a trend as `trend.html`: every metric over the runs, with its noise band and its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from job.reports.html_pictures import data_uri
from job.reports.html_template import template
from job.trend.metric_changes import changes
from job.trend.metric_series import Series, uncounted_runs
from job.trend.runs import Run, SkippedReport
from job.trend.trend_content import change_sentences, title
from job.trend.trend_plot import trend_svg
from job.trend.trend_verdict import judge_trend

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
