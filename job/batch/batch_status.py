"""The state of a whole batch over all its shards: how many jobs are in which state, and the time left."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import median

from job.batch.eta import makespan
from job.batch.job_state import ENDED, JobStatus
from job.batch.queue_batch import has_live_node, is_leased
from job.batch.shard_file import read_shards
from job.gating.plan_file import PlanEntry
from job.results.reading import SCHEMA_VERSION
from job.storage.artifacts import OutputPaths

_RESUMED = "another node of the queue resumes it when its lease has expired"
"""What becomes of a lost job in a queue."""


@dataclass(frozen=True)
class BatchStatus:
    """The state of a batch.

    Args:
        jobs: the state of each job, in the order of the plan.
        eta_seconds: seconds until the batch ends with the machines that now run jobs; None if that is not
            known, and 0 once no job waits or runs.
        awaited: names of the jobs without a machine that another node of a queue will resume.
    """

    jobs: tuple[JobStatus, ...]
    eta_seconds: float | None
    awaited: frozenset[str] = frozenset()

    def count(self, *states: str) -> int:
        """Return the number of jobs in one of these states."""
        return sum(job.state in states for job in self.jobs)

    @property
    def running(self) -> int:
        """Number of jobs that a machine runs."""
        return sum(job.running for job in self.jobs)

    @property
    def ended(self) -> bool:
        """Whether every job has ended, or been left without a machine that works on any."""
        return not (self.running or self.count("waiting") or self.awaited)

    def to_json(self) -> str:
        """Return the JSON document of the command `status`."""
        jobs = [asdict(job) for job in self.jobs]
        totals = {
            "jobs": len(self.jobs),
            "ended": self.count(*ENDED),
            "failed": self.count("failed"),
            "running": self.running,
            "waiting": self.count("waiting"),
            "lost": self.count("lost"),
        }
        record = {
            "schema_version": SCHEMA_VERSION,
            "jobs": jobs,
            "totals": totals,
            "eta_seconds": self.eta_seconds,
        }
        return json.dumps(record, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def batch_status(
    jobs: Sequence[JobStatus], plan: Mapping[str, PlanEntry], outputs: Sequence[OutputPaths]
) -> BatchStatus:
    """Return the state of a batch with an estimate of the time left.

    The estimated seconds of the plan are scaled to the machines by the jobs that have finished or run long
    enough. Each shard of `shards.json` runs its own jobs; without shards, every machine that runs a job takes
    the next one. In a queue that is also one that another node has lost.

    Args:
        jobs: the state of each job.
        plan: by job name.
        outputs: the output directories that were read.
    """
    resumed = _lost_in_queue(jobs, outputs)
    jobs = [
        replace(job, reason=f"no heartbeat since {job.heartbeat}; {_RESUMED}")
        if job.name in resumed and job.state == "lost"
        else job
        for job in jobs
    ]
    labels = {job.shard for job in jobs if job.running}
    divisions = (read_shards(output, [*plan]) for output in outputs)
    shards = next((found for found in divisions if found and labels & {*found.values()}), None)
    costs = {name: entry.cost_seconds or 1.0 for name, entry in plan.items()}
    waiting = [job.name for job in jobs if job.state == "waiting" or job.name in resumed]
    left = _seconds_left(jobs, waiting, costs, (lambda name: shards[name]) if shards else lambda _: "")
    return BatchStatus(tuple(jobs), None if left is None else round(left, 1), resumed)


def _lost_in_queue(jobs: Sequence[JobStatus], outputs: Sequence[OutputPaths]) -> frozenset[str]:
    """Return the jobs that a node of a queue has lost or left, and that another living node resumes."""
    if not any(job.running for job in jobs) and not any(has_live_node(output.queue) for output in outputs):
        return frozenset()
    lost = (job.name for job in jobs if job.state in ("lost", "interrupted"))
    return frozenset(name for name in lost if any(is_leased(output.queue, name) for output in outputs))


def _seconds_left(
    jobs: Sequence[JobStatus],
    waiting: Sequence[str],
    costs: Mapping[str, float],
    shard_of: Callable[[str], str],
) -> float | None:
    running = [job for job in jobs if job.running]
    if not running:
        return None if waiting else 0.0
    scale = _scale(jobs, costs)
    lefts = {job.name: _job_left(job, costs[job.name], scale) for job in running}
    if scale is None or None in lefts.values():
        return None
    ends = []
    for shard in sorted({shard_of(job.name) for job in jobs}):
        slots = [left for name, left in lefts.items() if left is not None and shard_of(name) == shard]
        queue = [scale * costs[name] for name in waiting if shard_of(name) == shard]
        if slots or queue:  # a shard between two jobs, or one that starts later, has one slot
            ends.append(makespan(slots or [0.0], queue))
    return max(ends) or None  # what runs has taken longer than expected


def _scale(jobs: Sequence[JobStatus], costs: Mapping[str, float]) -> float | None:
    """Return the seconds that one estimated second takes; None before any job tells."""
    measured = [(job, job.seconds or job.expected_seconds) for job in jobs]
    paces = [seconds / costs[job.name] for job, seconds in measured if seconds]
    return median(paces) if paces else None


def _job_left(job: JobStatus, cost: float, scale: float | None) -> float | None:
    """Return how long a running job still takes, with its evaluation; None if that cannot be told."""
    if job.eta_seconds is not None:
        return job.eta_seconds
    if scale is None:
        return None
    return max(0.0, scale * cost * (1 - (job.done or 0.0)) - (job.evaluating_seconds or 0.0))
