"""Write a trend as `trend.html`: every metric over the runs, with its noise band and its changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

from job.reports.escaping import url_path
from job.reports.html_template import template
from job.trend.metric_changes import changes
from job.trend.metric_series import Series, uncounted_runs
from job.trend.runs import Run, SkippedReport
from job.trend.trend_chart import HEIGHT, WIDTH, Chart, report_link, trend_chart
from job.trend.trend_content import change_sentences, title, value_text
from job.trend.trend_verdict import judge_trend

_MAX_OPEN = 4
"""Number of jobs from which on charts are folded, unless the job got worse or was bad in some run."""

_SYMBOLS: dict[str, str] = {"good": "✓", "unproven": "?", "bad": "✗"}


@dataclass(frozen=True, kw_only=True)
class JobSection:
    """The content of one job's section.

    Args:
        name: of the job.
        series: its metrics.
        worse: whether a metric got worse at some time.
        failed: whether the job was bad in some run.
        sentences: on its changes, and on runs that do not count.
        worse_from: 0-based numbers of the runs from which on a metric of the test is worse.
        charts: one for each metric, in the order of `series`.
        unfolded: whether the charts are shown without a click.
    """

    name: str
    series: Sequence[Series]
    sentences: Sequence[str]
    worse: bool
    failed: bool
    worse_from: set[int]
    charts: Sequence[Chart]
    unfolded: bool


def trend_page(
    runs: Sequence[Run],
    series: Sequence[Series],
    skipped: Sequence[SkippedReport] = (),
    *,
    directory: Path = Path(),
) -> str:
    """Return the page, one file that needs no network and no script.

    Args:
        runs: in the order of time.
        series: of these runs; the series of a job are adjacent.
        skipped: reports that do not count as runs.
        directory: of the page, to which its links to reports are relative.
    """
    jobs: list[JobSection] = []
    sections: list[JobSection] = []
    uncounted = uncounted_runs(runs)
    links = [url_path(report_link(run, directory)) for run in runs]
    for name, group in groupby(series, key=lambda each: each.job):
        jobs.append(_section(name, [*group], runs, uncounted.pop(name, ""), links))
    for number, job in enumerate(sorted(jobs, key=lambda job: (not job.worse, not job.failed))):
        sections.append(replace(job, unfolded=job.worse or job.failed or number < _MAX_OPEN))
    verdict = judge_trend(runs, series, skipped)
    return template("trend.html").render(
        title=title(runs),
        width=WIDTH,
        height=HEIGHT,
        verdict=verdict,
        symbol=_SYMBOLS[verdict.outlook],
        uncounted=uncounted.values(),
        skipped=skipped,
        jobs=sections,
        runs=runs,
        value_text=value_text,
        links=links,
    )


def _section(
    name: str, series: Sequence[Series], runs: Sequence[Run], uncounted: str, links: Sequence[str]
) -> JobSection:
    sentences = [sentence for each in series for sentence in change_sentences(each, runs)]
    charts = [trend_chart(each, runs, links) for each in series]
    return JobSection(
        name=name,
        series=series,
        failed=any(point.bad for chart in charts for point in chart.points),
        worse=any(change.worse for each in series for change in changes(each)),
        sentences=sentences + ([uncounted] if uncounted else []),
        worse_from={change.run for each in series if each.judged for change in changes(each) if change.worse},
        charts=charts,
        unfolded=False,
    )
