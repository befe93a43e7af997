"""A report -> `junit.xml`, as Jenkins, GitLab and others read it: a suite a job, its gates test cases.

What holds of a job stands in its suite's properties: Jenkins' schema (junit-10.xsd of its xUnit plugin) has
none in a test case. CI systems follow a case by class and name, so both are the same from run to run, and no
two cases share both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from junitparser import Error, JUnitXml, Skipped, TestCase, TestSuite
from junitparser import Failure as Missed

from job.metrics import gate_key
from job.reports.escaping import xml
from job.reports.formatting import (
    bar,
    headline,
    measured,
    metric_names,
    origin,
    outcome_words,
    plain,
    quantity,
)
from job.results.records import Failure, GateOutcome, JobComparison, JobResult, Report, SeedsSummary

DOCUMENT = "seq2seq-job"
JOBS, GATES, BASELINE = (f"{DOCUMENT}.{part}" for part in ("jobs", "gates", "baseline"))
"""Classes of the cases: whether a job was trained and evaluated, cleared a bar, held against its baseline."""


def junit_xml(report: Report) -> bytes:
    """Return the file's content.

    A missed gate and a regression are failures; a crash, an interrupted job, a missing result and a baseline
    that cannot be compared are errors. A case's time is what its job took when it was trained, also where
    that was before this run: its output says so.
    """
    suites = [*_suites(report)]
    if report.exit_code and all(case.is_passed or case.is_skipped for suite in suites for case in suite):
        told = {"exit_code": str(report.exit_code), "verdict": headline(report)}
        suites.append(_suite("(batch)", [_batch(report)], told))
    document = JUnitXml(DOCUMENT)
    for suite in suites:
        suite.timestamp = xml(report.started_at)
        document.add_testsuite(suite)
    # not `update_statistics`, which counts `skipped` too: Jenkins' schema has that for suites alone
    for count in ("tests", "failures", "errors"):
        setattr(document, count, sum(getattr(suite, count) for suite in suites))
    document.time = round(sum(suite.time for suite in suites), 3)
    content: bytes = document.tostring()
    return content


def _suites(report: Report) -> Iterator[TestSuite]:
    compared = {job.name: job for job in report.comparison.jobs} if report.comparison else {}
    for result in report.jobs:
        against = compared.pop(result.name, None)
        yield _job_suite(result, [_against(against)] if against else [])
    for name in report.missing:
        compared.pop(name, None)
        yield _suite(name, [_missing(name, running=report.running)])
    for seeds in report.seeds:
        if seeds.gates:
            yield _seeds_suite(seeds)
    for job in compared.values():
        yield _suite(job.name, [_against(job)])


def _suite(name: str, cases: Iterable[TestCase], properties: Mapping[str, str] | None = None) -> TestSuite:
    suite = TestSuite(xml(name))
    for key, value in (properties or {}).items():  # first, as readers expect them
        suite.add_property(xml(key), xml(value))
    suite.add_testcases(cases)
    suite.update_statistics()
    return suite


# --- a job --------------------------------------------------------------------------------------------------


def _job_suite(result: JobResult, against: Iterable[TestCase]) -> TestSuite:
    gates = [_gate(result.name, outcome) for outcome in result.gates]
    properties = {
        "status": result.status,
        **({"judged": "false"} if outcome_words(result) == "trained" else {}),
        "fingerprint": result.fingerprint,
        "seed": str(result.seed),
        **{f"metric.{name}": repr(result.metrics[name]) for name in metric_names([result])},
        **{f"gate.{gate_key(outcome.metric)}": repr(outcome.bound) for outcome in result.gates},
    }
    return _suite(result.name, [_job(result), *gates, *against], properties)


def _job(result: JobResult) -> TestCase:
    case = _case(result.name, JOBS, round(result.timings.get("total_seconds", 0.0), 3))
    if result.status == "failed" and result.error is not None:
        text = _error_text(result.name, result.error)
        case.result = _filled(Error, result.error.summary, result.error.type, text)
    elif result.status in ("failed", "interrupted"):
        text = result.error.message if result.error else ""
        case.result = _filled(Error, f"the job is {result.status}", result.status, text)
    elif result.status == "gate_failed" and all(outcome.passed for outcome in result.gates):
        # a result that contradicts itself must not be all green
        case.result = _filled(Missed, "the job failed its gate; which one was not recorded", "gate")
    values = [f"{name}: {measured(result, name, result.metrics[name])}" for name in metric_names([result])]
    lines = [origin(result), f"fingerprint: {result.fingerprint}", *values]
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
        case.result = _filled(Missed, outcome.shortfall, "gate", text)
    value = "not measured" if outcome.value is None else quantity(outcome.metric, outcome.value)
    case.system_out = xml(f"{plain(outcome.metric)}: {value}, {bar(outcome)}")
    return case


def _missing(name: str, *, running: bool) -> TestCase:
    case = _case(name, JOBS, 0.0)
    if running:
        case.result = _filled(Skipped, "the batch is still running", "running")
        return case
    case.result = _filled(Error, "the plan lists this job, but it has no result", "missing")
    return case


# --- several jobs -------------------------------------------------------------------------------------------


def _seeds_suite(seeds: SeedsSummary) -> TestSuite:
    """Return the bars on the mean over a job's seeds; the job's name is none of its runs'."""
    properties = {
        "seeds": ", ".join(map(str, seeds.seeds)),
        **{f"mean.{metric.metric}": repr(metric.mean) for metric in seeds.metrics},
    }
    return _suite(seeds.name, [_gate(seeds.name, outcome) for outcome in seeds.gates], properties)


def _against(job: JobComparison) -> TestCase:
    case = _case(job.name, BASELINE, 0.0)
    kinds = {"regression": Missed, "not_comparable": Error, "new": Skipped, "removed": Skipped}
    if kind := kinds.get(job.verdict):
        case.result = _filled(kind, job.reason, job.verdict)
    lines = [f"{job.verdict}: {job.reason}"]
    lines += [f"{metric.metric}: {metric.before!r} before, {metric.now!r} now" for metric in job.metrics]
    case.system_out = xml("\n".join([*lines, *job.warnings]))
    return case


def _batch(report: Report) -> TestCase:
    """Return a case for what is nobody's fault but the batch's: without it the file would be all green."""
    case = TestCase("(batch)", JOBS, 0.0)
    case.result = _filled(Error, headline(report), "batch", "\n".join(report.verdict.reasons))
    return case


def _filled(
    kind: type[Error] | type[Missed] | type[Skipped], message: str, type_: str, text: str = ""
) -> list[Error | Missed | Skipped]:
    result = kind(xml(message), xml(type_))
    result.text = xml(text)
    return [result]


def _error_text(job: str, error: Failure) -> str:
    file = error.traceback_file
    return error.message + (f"\n\ntraceback: jobs/{job}/{file}" if file else "")
