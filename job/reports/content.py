"""The content that HTML, Markdown, the terminal and JUnit share: columns, sentences, wording of verdicts.

Everything here is plain text without markup; each renderer escapes it. Numbers are written by
`job.reports.formatting`, the sentences of one job's section by `job.reports.job_content`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from job.errors import (
    BAD_BASELINE,
    BAD_USAGE,
    FAILED,
    GATE_FAILED,
    OK,
    SIGHUP_EXIT,
    SIGINT_EXIT,
    SIGTERM_EXIT,
)
from job.gating.batch_verdict import comparison_findings
from job.metrics import DATA_UNIT, METRICS, VALIDATION, gate_key
from job.reports.comparison_content import regression_in_words
from job.reports.ensemble_content import ensemble_remarks
from job.reports.formatting import duration, exact_quantity, plain, quantity, unit_of
from job.results.batch_report import MetricOverSeeds, Report, SeedsSummary, SetAside
from job.results.job_result import FINISHED, GateOutcome, JobResult

_EXIT_CODES = {
    OK: "every job trained and passed its gates",
    FAILED: "at least one job failed",
    BAD_USAGE: "bad spec or usage",
    GATE_FAILED: "a gate failed, or a regression against the baseline",
    BAD_BASELINE: "the baseline is missing or cannot be compared",
    SIGHUP_EXIT: "interrupted by SIGHUP; the state is saved",
    SIGINT_EXIT: "interrupted by SIGINT; the state is saved",
    SIGTERM_EXIT: "interrupted by SIGTERM, SIGUSR1 or the time limit; the state is saved",
}

# --- the verdict --------------------------------------------------------------------------------------------


def headline(report: Report) -> str:
    """Return the verdict in one line."""
    return f"Exit code {report.exit_code}: {_meaning(report)}"


def reasons(report: Report) -> Iterator[str]:
    """Yield a line for each reason of the verdict; for a regression, one of words for each metric."""
    compared = report.comparison.jobs if report.comparison else ()
    worse = {
        finding.reason: job
        for job in compared
        if job.verdict == "regression"
        for finding in comparison_findings([job])
    }
    for reason in report.verdict.reasons:
        yield from regression_in_words(worse[reason]) if reason in worse else [reason]


def _meaning(report: Report) -> str:
    if report.running:
        return "the batch is still running; this is not its verdict"
    return _EXIT_CODES[report.exit_code] if report.exit_code else _success(report)


def _success(report: Report) -> str:
    """Return what exit code 0 means for this batch: a job without gates has not passed any."""
    if not report.jobs:
        return "there was no job to run"
    judged = judged_jobs(report)
    done = "every job trained"
    if report.test_hidden:
        return f"{done}; the test is hidden"
    if report.comparison:
        done += " and none is worse than the baseline" if len(judged) < len(report.jobs) else ""
    pending = [job.name for job in report.seeds if job.gate_on == "mean" and job.absent]
    if pending:
        return f"{done}; the gates on the mean of {', '.join(pending)} are not judged without all its seeds"
    rest = len(report.jobs) - len(judged)
    if not judged:
        return f"{done}; no job has gates"
    if not rest:
        return _EXIT_CODES[OK]
    return (
        f"{done}; {len(judged)} passed {'its' if len(judged) == 1 else 'their'} gates, {rest} without gates"
    )


def judged_jobs(report: Report) -> set[str]:
    """Return the names of the jobs that gates were applied to, directly or on the mean over their seeds."""
    on_means = (name for job in report.seeds if job.gates for name in job.jobs)
    return {job.name for job in report.jobs if job.gates} | ({*on_means} & {job.name for job in report.jobs})


def outlook(report: Report) -> str:
    """Return the report's colour: `bad`, `plain`, or `good` if something was judged and nothing is wrong."""
    if report.exit_code:
        return "bad"
    return "good" if judged_jobs(report) or report.comparison else "plain"


def counts(report: Report) -> str:
    """Count the jobs by status and the results by origin, without zeros.

    For instance `3 jobs: 1 passed, 1 trained, 1 missing; 1 trained now, 1 already done`.
    """
    number = sum(report.totals.values())
    jobs = f"{number} job" if number == 1 else f"{number} jobs"
    trained = sum(outcome_words(job) == "trained" for job in report.jobs)
    named = {plain(status): count for status, count in report.totals.items() if status != "missing"}
    passed = named.pop("passed", 0) - trained
    missing = {missing_status(report): report.totals.get("missing", 0)}
    named = {"passed": passed, "trained": trained, **named, **missing}
    by_status = ", ".join(f"{count} {status}" for status, count in named.items() if count)
    origins = Counter(map(origin, report.jobs))
    by_origin = ", ".join(f"{count} {name}" for name, count in origins.items())
    text = f"{jobs}: {by_status}" if by_status else jobs
    return f"{text}; {by_origin}" if by_origin else text


# --- the table of jobs --------------------------------------------------------------------------------------


def regressed_jobs(report: Report) -> set[str]:
    """Return the names of the jobs that are worse than their baseline."""
    compared = report.comparison.jobs if report.comparison else ()
    return {job.name for job in compared if job.verdict == "regression"}


def sorted_jobs(report: Report) -> list[JobResult]:
    """Return the results by what matters: not finished ones, then failed gates and regressions, then others.

    Within these they are in the report's order: the plan's, or that of validation if the test is hidden.
    """
    regressed = regressed_jobs(report)

    def rank(result: JobResult) -> int:
        if result.status not in FINISHED:
            return 0
        return 2 if result.status == "passed" and result.name not in regressed else 1

    return sorted(report.jobs, key=rank)


@dataclass(frozen=True, kw_only=True)
class OverviewRow:
    """A job's row in the table of jobs; each renderer picks its columns.

    Args:
        job: the job's name.
        status: see `outcome_words`.
        metrics: one value per metric column, empty if the job does not have that metric.
        gates: see `gates_in_words`.
        parameters: the number of weights, empty if unknown.
        training: the duration of training, empty if unknown.
        done: see `origin`.
    """

    job: str
    status: str
    metrics: list[str]
    gates: str
    parameters: str
    training: str
    done: str


def overview_row(result: JobResult, metrics: Sequence[str], *, brief: bool = False) -> OverviewRow:
    """Return a job's row in the table of jobs.

    Args:
        result: of the job.
        metrics: names of the metric columns, in order; `validation.NAME` for one of validation.
        brief: see `metric_value`.
    """
    training = result.timings.get("train_seconds")
    return OverviewRow(
        job=result.name,
        status=outcome_words(result),
        metrics=[
            ""
            if (value := measured(result, name)) is None
            else metric_value(result, name, value, brief=brief)
            for name in metrics
        ],
        gates=gates_in_words(result),
        parameters=f"{result.parameters:,}" if result.parameters else "",
        training="" if training is None else duration(training),
        done=origin(result),
    )


def outcome_words(result: JobResult) -> str:
    """Return a job's status in words; a job that passed without gates of its own is `trained`."""
    return "trained" if result.status == "passed" and not result.gates else plain(result.status)


def missing_status(report: Report) -> str:
    """Return the status in words of a planned job without a result."""
    return "not done yet" if report.running else "missing"


def missing_reason(report: Report, name: str) -> str:
    """Return why a planned job has no result."""
    absent = (
        "the batch is still running" if report.running else "the plan lists this job, but it has no result"
    )
    return report.unusable.get(name, absent)


def origin(result: JobResult) -> str:
    """Return what this run did: `trained now`, `evaluated again`, `already done` or `not finished`.

    A job with the model of another one was `evaluated only`.
    """
    if result.reused:
        return "already done"
    if result.finished and result.model_of is not None:
        return "evaluated only"
    if result.finished and "evaluation" in result.environment:
        return "evaluated again"
    return "trained now" if result.status in FINISHED else "not finished"


def metric_names(results: Iterable[JobResult]) -> tuple[str, ...]:
    """Return the metrics that any of the results has: known ones in the table's order, then the others."""
    present = dict.fromkeys(name for result in results for name in result.metrics)
    return (*(name for name in METRICS if name in present), *sorted(present.keys() - METRICS.keys()))


def leading_metrics(results: Sequence[JobResult]) -> tuple[str, ...]:
    """Return the most important metric of each kind of job; for forecasts also that of persistence.

    Behind them are those of validation.
    """
    first = dict.fromkeys(name for result in results for name in metric_names([result])[:1])
    present = {name for result in results for name in result.metrics}
    test = (n for name in first for n in (name, f"persistence_{name}") if n == name or n in present)
    return (*test, *validation_columns(results, most=1))


def validation_columns(results: Iterable[JobResult], most: int | None = None) -> tuple[str, ...]:
    """Return the names of metrics of validation that any of the results has, as `validation.NAME`.

    Args:
        results: of the jobs.
        most: largest number of metrics of one job, the most important first; None for all.
    """
    present = dict.fromkeys(
        name
        for result in results
        if result.validation
        for name in [name for name in METRICS if name in result.validation.metrics][:most]
    )
    return tuple(f"{VALIDATION}{name}" for name in METRICS if name in present)


def measured(result: JobResult, column: str) -> float | None:
    """Return a metric of the test, or with `validation.` before its name that of validation."""
    if column.startswith(VALIDATION):
        metrics = result.validation.metrics if result.validation else {}
        return metrics.get(column.removeprefix(VALIDATION))
    return result.metrics.get(column)


def column_title(column: str) -> str:
    """Return the title of a metric's column, for instance `validation edit rate`."""
    return plain(column).replace(VALIDATION, "validation ")


def metric_value(result: JobResult, name: str, value: float, *, brief: bool = False) -> str:
    """Return a job's metric with its unit, with enough digits to tell it from the threshold it failed.

    Args:
        result: of the job.
        name: of the metric, `validation.NAME` for one of validation.
        value: its value.
        brief: omit the unit of the data, which the job's spec may give.
    """
    failed = next((gate.bound for gate in result.gates if gate.metric == name and not gate.passed), None)
    name = name.removeprefix(VALIDATION)
    text = quantity(name, value, failed_threshold=failed)
    own = result.spec.get("problem", {}).get("unit") if unit_of(name) == DATA_UNIT else None
    return f"{text} {own}" if own and not brief else text


# --- gates --------------------------------------------------------------------------------------------------


def gate_condition(outcome: GateOutcome) -> str:
    """Return a gate's condition, for instance `at least 99.00 %`."""
    threshold = exact_quantity(outcome.metric, outcome.bound)
    if outcome.metric not in METRICS:  # written by a later version
        return threshold
    side = "at least" if METRICS[outcome.metric].direction == "higher" else "at most"
    return f"{side} {threshold}"


def gate_outcome(outcome: GateOutcome) -> str:
    """Return `passed` or `failed`."""
    return "passed" if outcome.passed else "failed"


def gates_in_words(result: JobResult) -> str:
    """Return a job's gates in a few words: `none`, `on mean`, `2 passed` or `1/2 failed`.

    Empty if the test, and so the gates, are hidden.
    """
    failed = sum(not outcome.passed for outcome in result.gates)
    if result.finished and not result.metrics:
        return ""
    if not result.gates:
        gate = result.spec.get("gate", {}) if result.spec.get("seeds") else {}
        thresholds = [name for name in METRICS if gate.get(gate_key(name)) is not None]
        return "on mean" if thresholds and gate.get("seeds") == "mean" else "none"
    return f"{failed}/{len(result.gates)} failed" if failed else f"{len(result.gates)} passed"


# --- remarks on the batch -----------------------------------------------------------------------------------


def aside_remarks(asides: Sequence[SetAside]) -> Iterator[str]:
    """Yield a sentence for each reason for which directories were set aside."""
    by_reason: dict[str, list[SetAside]] = {}
    for aside in asides:
        by_reason.setdefault(aside.reason, []).append(aside)
    for reason, group in by_reason.items():
        first, more = group[0], len(group) - 1
        jobs = f"{first.job} and {more} more" if more else first.job
        place = f"{first.place.rpartition('/')[0]}/, by the names of the jobs" if more else first.place
        yield f"{jobs}: what was there before is in {place}, because {reason}"


def remarks(report: Report) -> Iterator[str]:
    """Yield a sentence for each directory set aside, metric over seeds, and value close to its threshold.

    Of validation that is a job's most important metric over seeds, or all if those of the test are hidden.
    """
    yield from aside_remarks(report.set_aside)
    for job in report.seeds:
        for metric in job.metrics:
            yield _over_seeds(job, metric)
        for metric in job.validation[: 1 if job.metrics else None]:
            yield _over_seeds(job, metric, side="validation ")
        for outcome in job.gates:
            condition = f"{plain(outcome.metric)} {gate_condition(outcome)}"
            yield f"{job.name}: the gate on the mean, {condition}, {gate_outcome(outcome)}"
        if job.absent and job.gate_on == "mean" and not report.test_hidden:
            yield f"{job.name}: the gates on the mean are not judged without {', '.join(job.absent)}"
    yield from ensemble_remarks(report.ensembles)
    gates = [(result.name, outcome) for result in report.jobs for outcome in result.gates]
    gates += [
        (f"{job.name} over {len(job.seeds)} seeds", outcome) for job in report.seeds for outcome in job.gates
    ]
    for name, outcome in gates:
        if outcome.advice and outcome.value is not None:
            yield _near(name, outcome, outcome.value)


def _over_seeds(job: SeedsSummary, metric: MetricOverSeeds, side: str = "") -> str:
    count = sum(value is not None for value in metric.values)
    mean = quantity(metric.metric, metric.mean)
    text = f"{job.name} over {count} of {len(job.seeds)} seeds: {side}{plain(metric.metric)} {mean}"
    if metric.deviation is None or metric.low is None or metric.high is None:
        return text
    deviation, low, high = (quantity(metric.metric, v) for v in (metric.deviation, metric.low, metric.high))
    return f"{text}, standard deviation {deviation}, 95 % interval {low} to {high}"


def _near(name: str, outcome: GateOutcome, value: float) -> str:
    threshold = quantity(outcome.metric, outcome.bound)
    text = quantity(outcome.metric, value, failed_threshold=None if outcome.passed else outcome.bound)
    return f"{name}: {plain(outcome.metric)} {text} is near its threshold of {threshold}: {outcome.advice}"


# --- the glossary -------------------------------------------------------------------------------------------


def glossary(results: Iterable[JobResult]) -> list[tuple[str, str]]:
    """Return the name and the description of each metric of the results, their validation and their gates."""
    results = list(results)
    gated = {gate.metric for result in results for gate in result.gates}
    validated = {name.removeprefix(VALIDATION) for name in validation_columns(results)}
    names = {*metric_names(results), *gated, *validated}
    return [(name, metric.description) for name, metric in METRICS.items() if name in names]
