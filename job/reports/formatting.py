"""How numbers and verdicts read, the same in every report for people."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

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
from job.metrics import DATA_UNIT, METRICS, gate_key
from job.results.records import FINISHED, GateOutcome, JobResult, Report

MEANINGS = {
    OK: "every job trained and passed its gates",
    FAILED: "at least one job failed",
    BAD_USAGE: "bad spec or usage",
    GATE_FAILED: "a gate failed, or a regression against the baseline",
    BAD_BASELINE: "the baseline is missing or cannot be compared",
    SIGHUP_EXIT: "interrupted by SIGHUP; the state is saved",
    SIGINT_EXIT: "interrupted by SIGINT; the state is saved",
    SIGTERM_EXIT: "interrupted by SIGTERM, SIGUSR1 or the time limit; the state is saved",
}

_PATIENCE = 12
"""Decimals beyond the usual that may be written."""


def headline(report: Report) -> str:
    """Return the verdict in one line."""
    return f"Exit code {report.exit_code}: {_meaning(report)}"


def _meaning(report: Report) -> str:
    if report.running:
        return "the batch is still running; this is not its verdict"
    return MEANINGS[report.exit_code] if report.exit_code else _success(report)


def _success(report: Report) -> str:
    """Return what exit code 0 means of this batch: a job without gates has passed none."""
    if not report.jobs:
        return "there was no job to run"
    judged = judged_jobs(report)
    done = "every job trained"
    if report.comparison:
        done += " and none is worse than the baseline" if len(judged) < len(report.jobs) else ""
    pending = [job.name for job in report.seeds if job.gate_on == "mean" and job.absent]
    if pending:
        return f"{done}; the gates on the mean of {', '.join(pending)} are not judged without all its seeds"
    rest = len(report.jobs) - len(judged)
    if not judged:
        return f"{done}; no job has gates"
    if not rest:
        return MEANINGS[OK]
    return (
        f"{done}; {len(judged)} passed {'its' if len(judged) == 1 else 'their'} gates, {rest} without gates"
    )


def judged_jobs(report: Report) -> set[str]:
    """Return the names of the jobs to which gates were applied, be it to the mean over their seeds."""
    on_means = (name for job in report.seeds if job.gates for name in job.jobs)
    return {job.name for job in report.jobs if job.gates} | ({*on_means} & {job.name for job in report.jobs})


def outlook(report: Report) -> str:
    """Return how a report is coloured: `good` only where something was judged and nothing is wrong."""
    if report.exit_code:
        return "bad"
    return "good" if judged_jobs(report) or report.comparison else "plain"


def outcome_words(result: JobResult) -> str:
    """Return a job's status in words: one that passed no gate, for it has none of its own, is `trained`."""
    return "trained" if result.status == "passed" and not result.gates else plain(result.status)


def absence(report: Report) -> str:
    """Return what to call a planned job without a result."""
    return "not done yet" if report.running else "missing"


def counts(report: Report) -> str:
    """Count the jobs by status and the results by origin, zeros left out.

    For instance `3 jobs: 1 passed, 1 trained, 1 missing; 1 trained now, 1 already done`: one has no gates.
    """
    number = sum(report.totals.values())
    jobs = f"{number} job" if number == 1 else f"{number} jobs"
    trained = sum(outcome_words(job) == "trained" for job in report.jobs)
    named = {plain(status): count for status, count in report.totals.items() if status != "missing"}
    passed = named.pop("passed", 0) - trained
    named = {"passed": passed, "trained": trained, **named, absence(report): report.totals.get("missing", 0)}
    by_status = ", ".join(f"{count} {status}" for status, count in named.items() if count)
    origins = Counter(map(origin, report.jobs))
    by_origin = ", ".join(f"{count} {name}" for name, count in origins.items())
    text = f"{jobs}: {by_status}" if by_status else jobs
    return f"{text}; {by_origin}" if by_origin else text


def plain(name: str) -> str:
    """Return a key of the JSON files as words: `gate failed`."""
    return name.replace("_", " ")


def origin(result: JobResult) -> str:
    """Return whether this run did the work: `trained now`, `already done`, `not finished`."""
    if result.reused:
        return "already done"
    return "trained now" if result.status in FINISHED else "not finished"


def quantity(name: str, value: float, *, missed: float | None = None) -> str:
    """Return a metric or timing with its unit, a fraction as a percentage.

    Args:
        name: of the metric or timing.
        value: its value.
        missed: a bar that the value did not clear: as many digits are written as it takes to see that.
    """
    texts = [_number(_unit(name), value, more) for more in range(_PATIENCE)]
    if missed is not None and missed != value:
        bound = _read(_exact(name, missed))
        texts = [t for t in texts if _read(t) != bound and (_read(t) < bound) == (value < missed)] or texts
    # 100 and 0 are said of nothing else
    truly = value in (0, 1) or _unit(name) != "fraction"
    return _with_unit(name, next((t for t in texts if truly or _read(t) not in (0, 100)), texts[-1]))


def measured(result: JobResult, name: str, value: float, *, brief: bool = False) -> str:
    """Return a metric of a job with its unit, in digits enough to see that it missed its gate where it did.

    Args:
        result: of the job.
        name: of the metric.
        value: its value.
        brief: leave out the data's own unit, which the job's spec may give.
    """
    missed = next((gate.bound for gate in result.gates if gate.metric == name and not gate.passed), None)
    text = quantity(name, value, missed=missed)
    own = result.spec.get("problem", {}).get("unit") if _unit(name) == DATA_UNIT else None
    return f"{text} {own}" if own and not brief else text


def _unit(name: str) -> str:
    if name in METRICS:
        return METRICS[name].unit
    return "seconds" if name.endswith("_seconds") else ""


_LONG = 1e15
"""Numbers from here on are written with an exponent: no column has room for their digits."""


def _number(unit: str, value: float, more: int) -> str:
    """Return a value in its unit with the usual number of decimals, or so many more."""
    if unit == "fraction":
        return f"{100 * value:.{2 + more}f}"
    if unit == "seconds":
        return f"{value:,.{(2 if value < 10 else 1) + more}f}"
    if unit == "point":  # BLEU and chrF: papers give one or two decimals and no unit
        return f"{value:.{2 + more}f}"
    if abs(value) >= _LONG:
        return f"{value:.{6 + more}g}"
    if unit in ("", DATA_UNIT) and abs(value) < 1000:
        return f"{value:,.{4 + more}g}"
    return f"{value:,.{more}f}"


def _exact(name: str, value: float) -> str:
    """Return a number as somebody wrote it down: with all its decimals, at least the usual ones."""
    texts = [_number(_unit(name), value, more) for more in range(_PATIENCE)]
    whole = _read(texts[-1])
    return next(text for text in texts if math.isclose(_read(text), whole, rel_tol=1e-9))


def _read(number: str) -> float:
    return float(number.replace(",", ""))


def _with_unit(name: str, number: str) -> str:
    unit = _unit(name)
    symbol = {"fraction": "%", "seconds": "s", "point": "", DATA_UNIT: ""}.get(unit, unit)
    return f"{number} {symbol}".rstrip()


def percent(fraction: float) -> str:
    """Return a fraction as a percentage: two decimals, more where they would say 0 or 100 untruly."""
    return quantity("sequence_accuracy", fraction)


def seconds(value: float) -> str:
    """Return a duration in seconds: hundredths under ten, else tenths."""
    return quantity("train_seconds", value)


def bar(outcome: GateOutcome) -> str:
    """Return a gate's condition: `at least 99.00 %`."""
    if outcome.metric not in METRICS:  # of a later version
        return _with_unit(outcome.metric, _exact(outcome.metric, outcome.bound))
    side = "at least" if METRICS[outcome.metric].direction == "higher" else "at most"
    return f"{side} {_with_unit(outcome.metric, _exact(outcome.metric, outcome.bound))}"


def gates(result: JobResult) -> str:
    """Return a job's gates in a few words: `none`, `on mean`, `2 cleared`, `1/2 missed`."""
    missed = sum(not outcome.passed for outcome in result.gates)
    if not result.gates:
        gate = result.spec.get("gate", {}) if result.spec.get("seeds") else {}
        thresholds = [name for name in METRICS if gate.get(gate_key(name)) is not None]
        return "on mean" if thresholds and gate.get("seeds") == "mean" else "none"
    return f"{missed}/{len(result.gates)} missed" if missed else f"{len(result.gates)} cleared"


def metric_names(results: Iterable[JobResult]) -> tuple[str, ...]:
    """Return the metrics that any of the results has: the known ones in their order, then the others."""
    present = dict.fromkeys(name for result in results for name in result.metrics)
    return (*(name for name in METRICS if name in present), *sorted(present.keys() - METRICS.keys()))


def leading_metrics(results: Sequence[JobResult]) -> tuple[str, ...]:
    """Return the most important metric of each kind of job among the results; of forecasts, beside it what
    persistence gives."""
    first = dict.fromkeys(name for result in results for name in metric_names([result])[:1])
    present = {name for result in results for name in result.metrics}
    return tuple(n for name in first for n in (name, f"persistence_{name}") if n == name or n in present)


def ranges(values: Iterable[int], most: int) -> list[tuple[int, int]]:
    """Divide the distinct values, in order, into at most `most` ranges of as many: first and last of each."""
    distinct = sorted(set(values))
    size = math.ceil(len(distinct) / most)
    parts = [distinct[first : first + size] for first in range(0, len(distinct), size or 1)]
    return [(part[0], part[-1]) for part in parts]


def span(first: int, last: int) -> str:
    """Return a range as text: `3`, or `3-5`."""
    return str(first) if first == last else f"{first}-{last}"
