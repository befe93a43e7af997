"""The verdict on a batch: what keeps it from success, the exit code and the reasons."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from job.errors import (
    BAD_BASELINE,
    BAD_USAGE,
    FAILED,
    GATE_FAILED,
    OK,
    STOP_EXITS,
)
from job.metrics import leading_metric
from job.process.stopping import Request
from job.results.batch_report import SeedsSummary, Verdict
from job.results.comparison_records import Comparison, JobComparison
from job.results.ensemble_records import EnsembleResult
from job.results.job_result import FINISHED, JobResult

PRECEDENCE = (*STOP_EXITS, BAD_USAGE, FAILED, BAD_BASELINE, GATE_FAILED)
"""Exit codes other than 0, most urgent first: if several apply, the batch ends with the first of them."""


@dataclass(frozen=True)
class Finding:
    """Something that keeps a batch from success.

    Args:
        exit_code: the code that it calls for, one of `PRECEDENCE`.
        reason: one sentence.
    """

    exit_code: int
    reason: str


def conclude(findings: Iterable[Finding]) -> Verdict:
    """Return the verdict for some findings: the most urgent exit code, and all reasons, most urgent first."""
    ordered = sorted(findings, key=lambda finding: PRECEDENCE.index(finding.exit_code))
    exit_code = ordered[0].exit_code if ordered else OK
    return Verdict(exit_code, tuple(finding.reason for finding in ordered))


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
    """Decide the verdict on a batch.

    Args:
        planned: names of the jobs that must have a result, in order.
        results: the present results; those of jobs that are not planned count too.
        stopped_by: the request that stopped the batch before all jobs ended.
        may_be_empty: accept an empty plan, as of a shard when there are more shards than jobs.
        comparison: with the baseline, if there is one.
        seeds: summaries of the jobs with `seeds`, including the gates on their means.
        besides: further findings.
        unusable: job name -> why its result, which is present, cannot be used.

    Returns:
        exit code 0 only if there is at least one result (or none was needed), every planned job has one, all
        passed their gates, and none is worse than its baseline.
    """
    found = () if may_be_empty and not planned and not results else findings(planned, results, unusable)
    finished = {result.name for result in results if result.finished}
    compared = [job for job in comparison.jobs if job.name in finished] if comparison else []
    means = _mean_findings(seeds)
    changes = comparison_findings(compared)
    return conclude([*besides, *_stop_findings(stopped_by), *found, *means, *changes])


# --- findings -----------------------------------------------------------------------------------------------


def findings(
    planned: Sequence[str], results: Sequence[JobResult], unusable: Mapping[str, str] | None = None
) -> tuple[Finding, ...]:
    """Return the findings about the results: of planned jobs in order, then of jobs that are not planned."""
    if not planned and not results:
        return (Finding(FAILED, "no job was run"),)
    reasons = unusable or {}
    by_name = {result.name: result for result in results}
    names = dict.fromkeys([*planned, *by_name])
    return tuple(
        finding for name in names for finding in _job_findings(name, by_name.get(name), reasons.get(name))
    )


def gate_findings(results: Iterable[JobResult], seeds: Iterable[SeedsSummary]) -> Iterator[Finding]:
    """Yield a finding for each finished job that failed a gate, and for each failed gate on a mean."""
    for result in results:
        if result.status in FINISHED:
            found = _job_findings(result.name, result)
            yield from (finding for finding in found if finding.exit_code == GATE_FAILED)
    yield from _mean_findings(seeds)


def comparison_findings(jobs: Iterable[JobComparison]) -> Iterator[Finding]:
    """Yield a finding for each job that is worse than its baseline or cannot be compared with it."""
    for job in jobs:
        if job.verdict == "regression":
            yield Finding(GATE_FAILED, f"job {job.name} is worse than its baseline: {job.reason}")
        elif job.verdict == "not_comparable":
            yield Finding(BAD_BASELINE, f"job {job.name} cannot be compared: {job.reason}")


def _mean_findings(seeds: Iterable[SeedsSummary]) -> Iterator[Finding]:
    for job in seeds:
        failed = [outcome.shortfall for outcome in job.gates if not outcome.passed]
        if failed:
            over = f"the mean of {len(job.seeds)} seeds"
            yield Finding(GATE_FAILED, f"job {job.name} failed its gate on {over}: {'; '.join(failed)}")


def ensemble_findings(ensembles: Iterable[EnsembleResult]) -> Iterator[Finding]:
    """Yield a finding for each ensemble that should have been computed and is not."""
    for ensemble in ensembles:
        if ensemble.status == "failed":
            yield Finding(FAILED, f"the ensemble of job {ensemble.name} is not computed: {ensemble.reason}")


def failures(reasons: Iterable[str]) -> Iterator[Finding]:
    """Yield a finding for each thing that failed besides the jobs."""
    return (Finding(FAILED, reason) for reason in reasons)


def _stop_findings(request: Request | None) -> Iterator[Finding]:
    if request is not None:
        reason = f"the batch was stopped by {request.cause}; run the same command again to resume it"
        yield Finding(request.exit_code, reason)


def _job_findings(name: str, result: JobResult | None, unusable: str | None = None) -> Iterator[Finding]:
    """Yield the finding about one job, if there is one; `unusable` says why a result was rejected."""
    if result is None and unusable:
        yield Finding(FAILED, f"job {name} has no result that can be used: {unusable}")
    elif result is None:
        yield Finding(FAILED, f"job {name} has no result")
    elif result.status == "failed":
        cause = result.error.summary if result.error else "the cause was not recorded"
        yield Finding(FAILED, f"job {name} failed: {cause}")
    elif result.status == "interrupted":
        yield Finding(FAILED, f"job {name} was interrupted before it finished")
    elif missing := _missing_leading_metric(result):
        yield Finding(FAILED, f"job {name} failed: it has no {missing} that is a finite number")
    else:
        failed = [outcome.shortfall for outcome in result.gates if not outcome.passed]
        # Either of the two is enough: a result file that contradicts itself must not pass.
        if failed or result.status == "gate_failed":
            cause = "; ".join(failed) or "which one was not recorded"
            yield Finding(GATE_FAILED, f"job {name} failed its gate: {cause}")


def _missing_leading_metric(result: JobResult) -> str:
    """Return the leading metric of a finished job if it is missing or not finite, else an empty string."""
    problem = result.spec.get("problem")
    kind = problem.get("kind") if isinstance(problem, dict) else None
    if kind is None:  # the result does not record its problem
        return ""
    leading = leading_metric(kind)
    return "" if math.isfinite(result.metrics.get(leading, math.nan)) else leading
