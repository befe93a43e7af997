"""Run the jobs of a batch together with other nodes, until all of them have ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.computed_jobs import ComputedJobs
from job.batch.measured_costs import measured_costs
from job.batch.planning import PlannedJob
from job.batch.progress import Log
from job.batch.queue import JobQueue
from job.batch.queue_batch import join_batch
from job.batch.queue_recorder import QueueRecorder
from job.batch.train_jobs import task_maker, work_through
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths


def run_queue(
    plan: Sequence[PlannedJob],
    output: OutputPaths,
    directory: Path,
    log: Log,
    options: BatchOptions,
) -> ComputedJobs:
    """Take jobs from the shared directory, and wait until those of other nodes have ended, too.

    Args:
        plan: the jobs of the batch: the same for all nodes.
        output: the output directory, which all nodes share.
        directory: the spec directory.
        log: receives the progress.
        options: of the batch, with `lease_seconds`.

    Raises:
        OutputError: other nodes work on another plan.
        OSError: the output directory can no longer be written to.
    """
    assert options.lease_seconds is not None
    names = [planned.job.name for planned in plan]
    batch = join_batch(output, _fingerprint(plan), names, options.lease_seconds)
    results: dict[str, JobResult] = {}
    recorder = QueueRecorder(log, output, batch)
    jobs = [planned.job for planned in plan]
    costs = measured_costs(jobs, options.costs, output) if options.costs else {}
    queue = JobQueue(plan, batch, recorder, results, task_maker(directory, options, len(plan)), costs)
    try:
        first = queue.take()
        stopped_by = None
        if queue.open:
            tasks = [first] if first is not None else []
            stopped_by = work_through(tasks, len(plan), recorder, results, options, queue)
    finally:
        batch.beat(left=True)
    ended = {name: batch.read_ended(name) for name in names if name in results}
    return ComputedJobs(
        results=results,
        reused=[name for name in ended if ended[name].reused],
        set_aside=[aside for record in ended.values() for aside in record.set_aside],
        stopped_by=stopped_by,
        unusable=queue.unusable,
        began_at=batch.began_at,
    )


def _fingerprint(plan: Sequence[PlannedJob]) -> str:
    """Return the SHA-256 of what all nodes of a batch must agree on: the jobs, their data and their gates."""
    content = [[planned.fingerprint, planned.job.model_dump(mode="json")] for planned in plan]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
