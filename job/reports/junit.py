"""Write a report as `junit.xml` for Jenkins, GitLab and others: a suite per job, a test case per gate.

Facts about a job are properties of its suite: Jenkins' schema (junit-10.xsd of its xUnit plugin) does not
allow properties in a test case. CI systems identify a case by class and name, so these are unique in a report
and the same from run to run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from junitparser import Error, JUnitXml, Skipped, TestCase, TestSuite
from junitparser import Failure as JUnitFailure

from job.metrics import VALIDATION, gate_key
from job.reports.content import (
    gate_condition,
    headline,
    measured,
    metric_names,
    metric_value,
    origin,
    outcome_words,
    validation_columns,
)
from job.reports.escaping import xml
from job.reports.formatting import plain, quantity
from job.results.batch_report import Report, SeedsSummary
from job.results.comparison_records import JobComparison
from job.results.job_result import Failure, GateOutcome, JobResult

DOCUMENT = "seq2seq-job"
JOBS, GATES, BASELINE = (f"{DOCUMENT}.{part}" for part in ("jobs", "gates", "baseline"))
"""Classes of the cases: a job was trained and evaluated, passed a gate, compares well with its baseline."""


def junit_xml(report: Report) -> bytes:
    """Return the file's content.

    A failed gate and a regression are failures; a crash, an interrupted job, a missing result and a baseline
    that cannot be compared are errors. A case's time is the duration of its job when it was trained, which
    may have been in an earlier run: its output states that.
    """
    suites = [*_suites(report)]
    if report.exit_code and all(case.is_passed or case.is_skipped for suite in suites for case in suite):
        properties = {"exit_code": str(report.exit_code), "verdict": headline(report)}
        suites.append(_suite("(batch)", [_batch(report)], properties))
    document = JUnitXml(DOCUMENT)
    for suite in suites:
        suite.timestamp = xml(report.started_at)
        document.add_testsuite(suite)
    # not `update_statistics`: it adds `skipped`, which Jenkins' schema allows for suites only
    for count in ("tests", "failures", "errors"):
        setattr(document, count, sum(getattr(suite, count) for suite in suites))
    document.time = round(sum(suite.time for suite in suites), 3)
    content: bytes = document.tostring()
    return content


def _suites(report: Report) -> Iterator[TestSuite]:
    compared = {job.name: job for job in report.comparison.jobs} if report.comparison else {}
    for result in report.jobs:
        comparison = compared.pop(result.name, None)
        yield _job_suite(result, [_comparison(comparison)] if comparison else [])
    for name in report.missing:
        compared.pop(name, None)
        yield _suite(name, [_missing(name, running=report.running)])
    for seeds in report.seeds:
        if seeds.gates:
            yield _seeds_suite(seeds)
    for job in compared.values():
        yield _suite(job.name, [_comparison(job)])


def _suite(name: str, cases: Iterable[TestCase], properties: Mapping[str, str] | None = None) -> TestSuite:
    suite = TestSuite(xml(name))
    for key, value in (properties or {}).items():  # before the cases, as readers expect
        suite.add_property(xml(key), xml(value))
    suite.add_testcases(cases)
    suite.update_statistics()
    return suite


# --- a job --------------------------------------------------------------------------------------------------


def _job_suite(result: JobResult, comparison: Iterable[TestCase]) -> TestSuite:
    gates = [_gate(result.name, outcome) for outcome in result.gates]
    properties = {
        "status": result.status,
        **({"judged": "false"} if outcome_words(result) == "trained" else {}),
        "fingerprint": result.fingerprint,
        "seed": str(result.seed),
        **{f"metric.{name}": repr(result.metrics[name]) for name in metric_names([result])},
        **{name: repr(measured(result, name)) for name in validation_columns([result])},
        **{f"gate.{gate_key(outcome.metric)}": repr(outcome.bound) for outcome in result.gates},
    }
    return _suite(result.name, [_job(result), *gates, *comparison], properties)


def _job(result: JobResult) -> TestCase:
    case = _case(result.name, JOBS, round(result.timings.get("total_seconds", 0.0), 3))
    if result.status == "failed" and result.error is not None:
        text = _error_text(result.name, result.error)
        case.result = _outcome(Error, result.error.summary, result.error.type, text)
    elif result.status in ("failed", "interrupted"):
        text = result.error.message if result.error else ""
        case.result = _outcome(Error, f"the job is {result.status}", result.status, text)
    elif result.status == "gate_failed" and all(outcome.passed for outcome in result.gates):
        # a result that contradicts itself must not pass
        case.result = _outcome(JUnitFailure, "the job failed its gate; which one was not recorded", "gate")
    values = [
        f"{name}: {metric_value(result, name, result.metrics[name])}" for name in metric_names([result])
    ]
    lines = [origin(result), f"fingerprint: {result.fingerprint}", *values]
    if result.model_of:
        lines.insert(1, f"model of job: {result.model_of}")
    if outcome_words(result) == "trained":
        lines.append("no gates of its own")
    case.system_out = xml("\n".join(lines))
    return case


def _case(name: str, kind: str, seconds: float) -> TestCase:
    return TestCase(xml(name), kind, seconds)


def _gate(job: str, outcome: GateOutcome) -> TestCase:
    case = _case(f"{job}: {gate_key(outcome.metric)}", GATES, 0.0)
    if not outcome.passed:
        text = "\n".join(filter(None, [outcome.shortfall, outcome.advice]))
        case.result = _outcome(JUnitFailure, outcome.shortfall, "gate", text)
    value = "not measured" if outcome.value is None else quantity(outcome.metric, outcome.value)
    case.system_out = xml(f"{plain(outcome.metric)}: {value}, {gate_condition(outcome)}")
    return case


def _missing(name: str, *, running: bool) -> TestCase:
    case = _case(name, JOBS, 0.0)
    if running:
        case.result = _outcome(Skipped, "the batch is still running", "running")
        return case
    case.result = _outcome(Error, "the plan lists this job, but it has no result", "missing")
    return case


# --- several jobs -------------------------------------------------------------------------------------------


def _seeds_suite(seeds: SeedsSummary) -> TestSuite:
    """Return the gates on the mean over a job's seeds; its runs have other names than the job."""
    properties = {
        "seeds": ", ".join(map(str, seeds.seeds)),
        **{f"mean.{metric.metric}": repr(metric.mean) for metric in seeds.metrics},
        **{f"mean.{VALIDATION}{metric.metric}": repr(metric.mean) for metric in seeds.validation},
    }
    return _suite(seeds.name, [_gate(seeds.name, outcome) for outcome in seeds.gates], properties)


def _comparison(job: JobComparison) -> TestCase:
    case = _case(job.name, BASELINE, 0.0)
    kinds = {"regression": JUnitFailure, "not_comparable": Error, "new": Skipped, "removed": Skipped}
    if kind := kinds.get(job.verdict):
        case.result = _outcome(kind, job.reason, job.verdict)
    lines = [f"{job.verdict}: {job.reason}"]
    lines += [f"{metric.metric}: {metric.before!r} before, {metric.now!r} now" for metric in job.metrics]
    case.system_out = xml("\n".join([*lines, *job.warnings]))
    return case


def _batch(report: Report) -> TestCase:
    """Return a case for an error of the batch itself: without it every case of the file would pass."""
    case = TestCase("(batch)", JOBS, 0.0)
    case.result = _outcome(Error, headline(report), "batch", "\n".join(report.verdict.reasons))
    return case


def _outcome(
    kind: type[Error] | type[JUnitFailure] | type[Skipped], message: str, type_: str, text: str = ""
) -> list[Error | JUnitFailure | Skipped]:
    result = kind(xml(message), xml(type_))
    result.text = xml(text)
    return [result]


def _error_text(job: str, error: Failure) -> str:
    file = error.traceback_file
    return error.message + (f"\n\ntraceback: jobs/{job}/{file}" if file else "")
