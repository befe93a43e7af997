"""A report -> `junit.xml`, as Jenkins, GitLab and others read it: a test case a job."""

from __future__ import annotations

from junitparser import Error, JUnitXml, TestCase, TestSuite
from junitparser import Failure as Missed

from job.reports.wording import headline, legal, measured, metric_names, origin
from job.results import Failure, JobResult, Report

SUITE = "seq2seq-job"
CLASS_NAME = "seq2seq-job.jobs"
"""The same for every job, also for one without a result: a CI system follows a case by class and name."""


def junit_xml(report: Report) -> bytes:
    """Return the file's content.

    A missed gate is a failure; a crash, an interrupted job and a missing result are errors. A case's time
    is what its job took when it was trained, also where that was before this run: its output says so.
    """
    suite = TestSuite(SUITE)
    suite.timestamp = report.started_at
    suite.add_property("exit_code", str(report.exit_code))
    suite.add_property("verdict", headline(report))
    suite.add_testcases([*map(_case, report.jobs), *map(_missing, report.missing)])
    if report.exit_code and all(case.is_passed for case in suite):
        suite.add_testcase(_batch(report))
    document = JUnitXml(SUITE)
    document.add_testsuite(suite)
    document.update_statistics()
    content: bytes = document.tostring()
    return content


def _case(result: JobResult) -> TestCase:
    case = TestCase(result.name, CLASS_NAME, round(result.timings.get("total_seconds", 0.0), 3))
    missed = [outcome.shortfall for outcome in result.gates if not outcome.passed]
    if result.status == "failed" and result.error is not None:
        case.result = _filled(
            Error, result.error.summary, result.error.type, _error_text(result.name, result.error)
        )
    elif result.status in ("failed", "interrupted"):
        text = result.error.message if result.error else ""
        case.result = _filled(Error, f"the job is {result.status}", result.status, text)
    elif missed or result.status == "gate_failed":
        case.result = _filled(Missed, "; ".join(missed), "gate", "\n".join(missed))
    values = [f"{name}: {measured(result, name, result.metrics[name])}" for name in metric_names([result])]
    case.system_out = legal("\n".join([origin(result), f"fingerprint: {result.fingerprint}", *values]))
    return case


def _missing(name: str) -> TestCase:
    case = TestCase(name, CLASS_NAME, 0.0)
    case.result = _filled(Error, "the plan lists this job, but it has no result", "missing")
    return case


def _batch(report: Report) -> TestCase:
    """Return a case for what is nobody's fault but the batch's: without it the file would be all green."""
    case = TestCase("(batch)", CLASS_NAME, 0.0)
    case.result = _filled(Error, headline(report), "batch", "\n".join(report.verdict.reasons))
    return case


def _filled(
    kind: type[Error] | type[Missed], message: str, type_: str, text: str = ""
) -> list[Error | Missed]:
    result = kind(legal(message), legal(type_))
    result.text = legal(text)
    return [result]


def _error_text(job: str, error: Failure) -> str:
    file = error.traceback_file
    return error.message + (f"\n\ntraceback: jobs/{job}/{file}" if file else "")
