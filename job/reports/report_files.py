"""Build the report of a batch, and write it to the files at the top of the output directory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from job.reports.junit import junit_xml
from job.reports.markdown import markdown
from job.reports.prometheus import metrics_text
from job.reports.without_test import without_test
from job.results.batch_report import Report, SeedsSummary, SetAside, Verdict
from job.results.comparison_records import Comparison
from job.results.ensemble_records import EnsembleResult
from job.results.job_result import STATUSES, JobResult
from job.storage.artifacts import OutputPaths, write_bytes, write_text


def build_report(
    results: Sequence[JobResult],
    *,
    started_at: datetime,
    finished_at: datetime,
    verdict: Verdict,
    missing: Sequence[str] = (),
    reused: Collection[str] = (),
    comparison: Comparison | None = None,
    seeds: Sequence[SeedsSummary] = (),
    ensembles: Sequence[EnsembleResult] = (),
    unstarted: Sequence[str] = (),
    running: bool = False,
    set_aside: Sequence[SetAside] = (),
    unusable: Mapping[str, str] | None = None,
) -> Report:
    """Build the report of a batch.

    Args:
        results: in the plan's order.
        started_at, finished_at: aware; written in UTC, to the second.
        verdict: see `job.gating.batch_verdict.decide`.
        missing: names of planned jobs without a result, in the plan's order.
        reused: names of the jobs whose results this run reused; they are marked in the report.
        comparison: with a baseline, if there is one.
        seeds: summaries of the jobs that have several seeds.
        ensembles: of the jobs with `evaluation.ensemble`.
        unstarted: why this run has no plan, see `Report`.
        running: whether the batch has not ended yet.
        set_aside, unusable: see `Report`.
    """
    jobs = tuple(replace(result, reused=result.reused or result.name in reused) for result in results)
    totals: dict[str, int] = {status: sum(job.status == status for job in jobs) for status in STATUSES}
    totals["missing"] = len(missing)
    return Report(
        started_at=_utc(started_at),
        finished_at=_utc(finished_at),
        exit_code=verdict.exit_code,
        totals=totals,
        jobs=jobs,
        verdict=verdict,
        missing=tuple(missing),
        comparison=comparison,
        seeds=tuple(seeds),
        ensembles=tuple(ensembles),
        unstarted=tuple(unstarted),
        running=running,
        set_aside=tuple(set_aside),
        unusable=dict(unusable or {}),
    )


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="seconds")


def write_reports(output: OutputPaths, report: Report, *, hide_test: bool = False) -> None:
    """Write the reports for people and systems and, last, `report.json`; each is replaced atomically.

    Args:
        output: the output directory.
        report: of the batch.
        hide_test: whether the reports for people leave out the test, see `without_test`.

    Raises:
        OSError: a file cannot be written; the old one is in place.
    """
    from job.reports.html import html_page  # a batch loads it while its workers load TensorFlow

    shown = without_test(report) if hide_test else report
    write_text(output.html, html_page(shown, output))
    write_text(output.markdown, markdown(shown))
    write_bytes(output.junit, junit_xml(report))
    write_text(output.prometheus, metrics_text(report, shard=output.shard))
    write_text(output.report, report.to_json())
