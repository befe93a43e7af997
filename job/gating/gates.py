"""Results and their bars -> the verdict on a batch, and so the exit code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

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
from job.gating.confidence_intervals import examples_needed, round_up, within_sampling_error
from job.metrics import METRICS, leading_metric
from job.process.stopping import Request
from job.results.records import (
    FINISHED,
    Comparison,
    GateOutcome,
    JobComparison,
    JobResult,
    SeedsSummary,
    Status,
    Verdict,
)
from job.spec.gate_section import GateSpec

PRECEDENCE = (SIGTERM_EXIT, SIGINT_EXIT, SIGHUP_EXIT, BAD_USAGE, FAILED, BAD_BASELINE, GATE_FAILED)
"""Exit codes other than 0; where several apply, the first one here is the batch's."""


def judge(
    measured: Mapping[str, float],
    thresholds: Mapping[str, float],
    counts: Mapping[str, int] | None = None,
    reasons: Mapping[str, str] | None = None,
) -> tuple[GateOutcome, ...]:
    """Hold what a job measured against its bars.

    Args:
        measured: name -> value: the result's metrics, and its timings (`train_seconds` is a metric too).
        thresholds: metric name -> bound, see `GateSpec.thresholds`.
        counts: metric name -> of how many examples it is a share, where it is one; for advice.
        reasons: metric name -> why there is no value, where that is known.

    Returns:
        an outcome for each threshold, in their order. A metric that is missing, NaN or infinite has not
        cleared its bar, and its value is None.
    """
    counts, reasons = counts or {}, reasons or {}
    return tuple(
        _outcome(metric, bound, measured.get(metric), counts.get(metric), reasons.get(metric))
        for metric, bound in thresholds.items()
    )


def _outcome(
    metric: str, bound: float, value: float | None, count: int | None, reason: str | None
) -> GateOutcome:
    if value is None or not math.isfinite(value):
        return GateOutcome(metric, bound, None, passed=False, reason=reason)
    passed = value >= bound if METRICS[metric].direction == "higher" else value <= bound
    return GateOutcome(metric, bound, value, passed, _advice(value, bound, count) if count else None)


def _advice(share: float, bound: float, count: int) -> str | None:
    if not within_sampling_error(share, count, bound):
        return None
    needed = examples_needed(share, bound)
    settled = (
        f"about {round_up(needed):,} test examples would settle it" if needed else "it lies on the bar itself"
    )
    return f"of {count:,} examples chance could have it on the other side; {settled}"


def share_counts(data: Mapping[str, Any]) -> dict[str, int]:
    """Return of how many examples each metric is a share that is one; `data` is a result's."""
    tested, seen = data.get("test_examples"), data.get("seen_in_training")
    if tested is None or seen is None:  # numbers have no shares
        return {}
    return {"sequence_accuracy": tested, "unseen_sequence_accuracy": tested - seen}


def judged(result: JobResult, gate: GateSpec, seeds: Sequence[int] = ()) -> JobResult:
    """Return a result with the verdict that a gate gives on what was measured, whatever verdict it records.

    Args:
        result: of a job.
        gate: the job's now.
        seeds: of the job with `seeds` of which this is one run; its gate may be on their mean, and then
            none is applied to a run alone.

    Returns:
        the result with its status, its gates' outcomes, and this gate and these seeds in its `spec`. A job
        that was not finished stays so.
    """
    if not result.finished:
        return replace(result, status=_unfinished(result), gates=(), judged=False)
    thresholds = {} if seeds and gate.seeds == "mean" else gate.thresholds()
    measured = {**result.timings, **result.metrics}
    outcomes = judge(measured, thresholds, share_counts(result.data), result.not_measured)
    applied = {"gate": gate.model_dump(mode="json"), "seeds": list(seeds)}
    same = {key: result.spec.get(key) for key in applied} == applied
    return replace(
        result,
        status=status(outcomes),
        gates=outcomes,
        judged=bool(outcomes),
        spec=result.spec if same else {**result.spec, **applied},
    )


def _unfinished(result: JobResult) -> Status:
    """Return the status of a job that did not finish; its error is believed before its status."""
    if result.status not in FINISHED:
        return result.status
    return "interrupted" if result.error and result.error.type == "Interrupted" else "failed"


def status(outcomes: Iterable[GateOutcome]) -> Status:
    """Return the status of a job that was trained and evaluated."""
    return "passed" if all(outcome.passed for outcome in outcomes) else "gate_failed"


@dataclass(frozen=True)
class Finding:
    """Something that keeps a batch from success.

    Args:
        exit_code: the code that it calls for, one of `PRECEDENCE`.
        reason: one plain sentence.
    """

    exit_code: int
    reason: str


def decide(
    planned: Sequence[str],
    results: Sequence[JobResult],
    *,
    stopped_by: Request | None = None,
    may_be_empty: bool = False,
    comparison: Comparison | None = None,
    seeds: Sequence[SeedsSummary] = (),
    besides: Iterable[Finding] = (),
    unusable: Mapping[str, str] | None = None,
) -> Verdict:
    """Judge a batch.

    Args:
        planned: names of the jobs that must have a result, in order.
        results: the results that there are; one that was not planned is judged like the others.
        stopped_by: why the batch was ended before its jobs were.
        may_be_empty: nothing planned is nothing wrong: one of more shards than there are jobs.
        comparison: with a baseline, where there is one.
        seeds: of the jobs that have several, with the bars on their means judged.
        besides: what else keeps the batch from success.
        unusable: by job name, why a result that is there cannot be used.

    Returns:
        exit code 0 only when there is at least one result (or none had to be), all planned ones are there,
        all passed, and none is worse than its baseline.
    """
    found = () if may_be_empty and not planned and not results else findings(planned, results, unusable)
    finished = {result.name for result in results if result.finished}
    compared = [job for job in comparison.jobs if job.name in finished] if comparison else []
    means = _mean_findings(seeds)
    against = comparison_findings(compared)
    return conclude([*besides, *_stop_findings(stopped_by), *found, *means, *against])


def findings(
    planned: Sequence[str], results: Sequence[JobResult], unusable: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Return what is wrong with a batch's results: planned jobs in order, then jobs that were not planned."""
    if not planned and not results:
        return (Finding(FAILED, "no job was run"),)
    reasons = unusable or {}
    by_name = {result.name: result for result in results}
    names = dict.fromkeys([*planned, *by_name])
    return tuple(
        finding for name in names for finding in _job_findings(name, by_name.get(name), reasons.get(name))
    )


def gate_findings(results: Iterable[JobResult], seeds: Iterable[SeedsSummary]) -> Iterator[Finding]:
    """Yield the gates that finished jobs failed, and those on the means over seeds."""
    for result in results:
        if result.status in FINISHED:
            found = _job_findings(result.name, result)
            yield from (finding for finding in found if finding.exit_code == GATE_FAILED)
    yield from _mean_findings(seeds)


def _mean_findings(seeds: Iterable[SeedsSummary]) -> Iterator[Finding]:
    for job in seeds:
        missed = [outcome.shortfall for outcome in job.gates if not outcome.passed]
        if missed:
            over = f"the mean of {len(job.seeds)} seeds"
            yield Finding(GATE_FAILED, f"job {job.name} failed its gate on {over}: {'; '.join(missed)}")


def comparison_findings(jobs: Iterable[JobComparison]) -> Iterator[Finding]:
    """Yield what is wrong with jobs held against a baseline: they are worse, or cannot be compared."""
    for job in jobs:
        if job.verdict == "regression":
            yield Finding(GATE_FAILED, f"job {job.name} is worse than its baseline: {job.reason}")
        elif job.verdict == "not_comparable":
            yield Finding(BAD_BASELINE, f"job {job.name} cannot be compared: {job.reason}")


def conclude(findings: Iterable[Finding]) -> Verdict:
    """Turn findings into the verdict: the most urgent exit code, and the reasons, most urgent first."""
    ordered = sorted(findings, key=lambda finding: PRECEDENCE.index(finding.exit_code))
    exit_code = ordered[0].exit_code if ordered else OK
    return Verdict(exit_code, tuple(finding.reason for finding in ordered))


def _stop_findings(request: Request | None) -> Iterator[Finding]:
    if request is not None:
        reason = f"the batch was stopped by {request.cause}; run the same command again to go on"
        yield Finding(request.exit_code, reason)


def _job_findings(name: str, result: JobResult | None, unusable: str | None = None) -> Iterator[Finding]:
    if result is None and unusable:
        yield Finding(FAILED, f"job {name} has no result that can be used: {unusable}")
    elif result is None:
        yield Finding(FAILED, f"job {name} has no result")
    elif result.status == "failed":
        cause = result.error.summary if result.error else "the cause was not recorded"
        yield Finding(FAILED, f"job {name} failed: {cause}")
    elif result.status == "interrupted":
        yield Finding(FAILED, f"job {name} was interrupted before it finished")
    elif lacking := _lacking(result):
        yield Finding(FAILED, f"job {name} failed: it has no {lacking} that is a finite number")
    else:
        missed = [outcome.shortfall for outcome in result.gates if not outcome.passed]
        # Either sign is enough: a result file that contradicts itself must not pass.
        if missed or result.status == "gate_failed":
            cause = "; ".join(missed) or "which one was not recorded"
            yield Finding(GATE_FAILED, f"job {name} failed its gate: {cause}")


def _lacking(result: JobResult) -> str:
    """Return the leading metric of a finished job that does not have it; empty where it does."""
    problem = result.spec.get("problem")
    kind = problem.get("kind") if isinstance(problem, dict) else None
    if kind is None:  # a result that does not say what it is of
        return ""
    leading = leading_metric(kind)
    return "" if math.isfinite(result.metrics.get(leading, math.nan)) else leading
