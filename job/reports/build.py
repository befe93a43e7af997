"""Results of a batch -> its report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone

from job.results.records import STATUSES, Comparison, JobResult, Report, SeedsSummary, SetAside, Verdict


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
    unstarted: Sequence[str] = (),
    running: bool = False,
    set_aside: Sequence[SetAside] = (),
    unusable: Mapping[str, str] | None = None,
) -> Report:
    """Put a batch's report together.

    Args:
        results: in the plan's order.
        started_at, finished_at: aware; written in UTC, to the second.
        verdict: see `job.gating.batch_verdict.decide`.
        missing: names of planned jobs without a result, in the plan's order.
        reused: names of the jobs that were done before this run; they are marked so.
        comparison: with a baseline, where there is one.
        seeds: of the jobs that have several.
        unstarted: why there is no plan of this run, see `Report`.
        running: whether this is not the batch's end.
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
        unstarted=tuple(unstarted),
        running=running,
        set_aside=tuple(set_aside),
        unusable=dict(unusable or {}),
    )


def _utc(time: datetime) -> str:
    return time.astimezone(timezone.utc).isoformat(timespec="seconds")
