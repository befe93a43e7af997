"""Leave the test out of a report, for people who still choose between variants by validation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from job.gating import batch_verdict
from job.metrics import METRICS
from job.results.batch_report import Report, Verdict
from job.results.job_result import JobResult

HIDDEN = "the test is hidden, so that variants are chosen by validation; the exit code counts it"
"""Why reasons of the exit code are missing."""

_OF_TEST = ("accuracy.svg", "attention.svg", "contexts.svg")
"""Drawings that show the test."""


def without_test(report: Report) -> Report:
    """Return a report without anything measured on the test, for reports that people read.

    Metrics, gates, samples, mistakes, the comparison with a baseline and means of the test over seeds are
    left out, and so are the reasons of the verdict that tell of them. The exit code stays. Jobs are in the
    order of their most important metric of validation, the best first.
    """
    told = set(_reasons_of_test(report))
    reasons = [reason for reason in report.verdict.reasons if reason not in told]
    reasons += [HIDDEN] if report.exit_code and told else []
    jobs = tuple(map(_hide, sorted(report.jobs, key=_by_validation)))
    totals = dict(report.totals)
    totals["passed"] = totals.get("passed", 0) + totals.pop("gate_failed", 0)
    return replace(
        report,
        jobs=jobs,
        totals=totals,
        verdict=Verdict(report.exit_code, tuple(reasons)),
        comparison=None,
        seeds=tuple(replace(job, metrics=(), gates=()) for job in report.seeds if job.validation),
        ensembles=(),
        test_hidden=True,
    )


def _reasons_of_test(report: Report) -> Iterator[str]:
    """Yield the reasons for which gates and the comparison could have set the exit code."""
    compared = report.comparison.jobs if report.comparison else ()
    findings = [
        *batch_verdict.gate_findings(report.jobs, report.seeds),
        *batch_verdict.comparison_findings(compared),
    ]
    yield from (finding.reason for finding in findings)


def _by_validation(result: JobResult) -> tuple[int, float]:
    """Return the place of a job among others: by its most important metric, and its value, the best first."""
    metrics = result.validation.metrics if result.validation else {}
    for number, (name, metric) in enumerate(METRICS.items()):
        if name in metrics:
            return number, -metrics[name] if metric.direction == "higher" else metrics[name]
    return len(METRICS), 0.0


def _hide(result: JobResult) -> JobResult:
    data = replace(
        result.data,
        test_examples=None,
        seen_in_training=None,
        test_tokens=None,
        unknown_tokens=None,
        signatures=result.validation.signatures if result.validation else {},
        not_measured=result.validation.not_measured if result.validation else {},
    )
    return replace(
        result,
        status="passed" if result.status == "gate_failed" else result.status,
        metrics={},
        gates=(),
        data=data,
        samples=(),
        analysis={},
        also=(),
        exports=tuple(export for export in result.exports if export.approximation is None),
        attention=(),
        artifacts=tuple(file for file in result.artifacts if file.path not in _OF_TEST),
    )
