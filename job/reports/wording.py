"""How numbers, verdicts and strangers' text read, the same in every report for people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from job.errors import BAD_BASELINE, BAD_USAGE, FAILED, GATE_FAILED, OK, SIGINT_EXIT, SIGTERM_EXIT
from job.results import FINISHED, GateOutcome, JobResult, Report
from job.spec.metrics import DATA_UNIT, METRICS

MEANINGS = {
    OK: "every job trained and passed its gates",
    FAILED: "at least one job failed",
    BAD_USAGE: "bad spec or usage",
    GATE_FAILED: "a gate failed, or a regression against the baseline",
    BAD_BASELINE: "the baseline is missing or cannot be compared",
    SIGINT_EXIT: "interrupted by SIGINT; the state is saved",
    SIGTERM_EXIT: "interrupted by SIGTERM, SIGUSR1 or the time limit; the state is saved",
}


def headline(report: Report) -> str:
    """Return the verdict in one line."""
    return f"Exit code {report.exit_code}: {MEANINGS[report.exit_code]}"


def counts(report: Report) -> str:
    """Count the jobs by status and the results by origin, zeros left out.

    For instance `3 jobs: 2 passed, 1 missing; 1 trained now, 1 already done`.
    """
    number = sum(report.totals.values())
    jobs = f"{number} job" if number == 1 else f"{number} jobs"
    by_status = ", ".join(f"{count} {plain(status)}" for status, count in report.totals.items() if count)
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


def quantity(name: str, value: float) -> str:
    """Return a metric or timing with its unit, a fraction as a percentage."""
    unit = _unit(name)
    if unit == "fraction":
        return percent(value)
    if unit == "seconds":
        return seconds(value)
    if unit == "point":  # BLEU and chrF: papers give one or two decimals and no unit
        return f"{value:.2f}"
    if unit in ("", DATA_UNIT):
        return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{value:,.0f} {unit}"


def measured(result: JobResult, name: str, value: float) -> str:
    """Return a metric of a job with its unit: the data's own where the job's spec says what that is."""
    text = quantity(name, value)
    own = result.spec.get("problem", {}).get("unit") if _unit(name) == DATA_UNIT else None
    return f"{text} {own}" if own else text


def _unit(name: str) -> str:
    if name in METRICS:
        return METRICS[name].unit
    return "seconds" if name.endswith("_seconds") else ""


def percent(fraction: float) -> str:
    """Return a fraction as a percentage: two to four decimals, more where they would say 0 or 100 untruly."""
    if fraction in (0, 1):
        return f"{100 * fraction:.2f} %"
    texts = [f"{100 * fraction:.{decimals}f}" for decimals in range(4, 12)]
    whole, _, decimals = next((text for text in texts if float(text) not in (0, 100)), texts[-1]).partition(
        "."
    )
    return f"{whole}.{decimals.rstrip('0'):0<2} %"


def seconds(value: float) -> str:
    """Return a duration in seconds: hundredths under ten, else tenths."""
    return f"{value:.2f} s" if value < 10 else f"{value:,.1f} s"


def bar(outcome: GateOutcome) -> str:
    """Return a gate's condition: `at least 99.00 %`."""
    side = "at least" if METRICS[outcome.metric].direction == "higher" else "at most"
    return f"{side} {quantity(outcome.metric, outcome.bound)}"


def gates(result: JobResult) -> str:
    """Return a job's gates in a few words: `none`, `2 cleared`, `1/2 missed`."""
    missed = sum(not outcome.passed for outcome in result.gates)
    if not result.gates:
        return "none"
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


def visible(text: str) -> str:
    """Return text on one line: control characters as their pictures (a line feed is `␊`)."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", _picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else "\ufffd"


def shortened(text: str, length: int = 200) -> str:
    """Return text cut to at most `length` characters, the cut marked by an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"
