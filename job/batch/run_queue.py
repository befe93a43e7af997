"""Run the jobs of a batch together with other nodes, until all of them have ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.cluster_jobs import join_processes
from job.batch.cluster_queue import node_queue
from job.batch.computed_jobs import ComputedJobs
from job.batch.measured_costs import costliest_first
from job.batch.planning import PlannedJob
from job.batch.progress import Log
from job.batch.queue_joining import join_batch, queue_fingerprint
from job.batch.queue_recorder import QueueRecorder
from job.batch.queue_results import QueueResults
from job.batch.task_maker import task_maker
from job.batch.train_jobs import work_through
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths


def run_queue(
    plan: Sequence[PlannedJob],
    output: OutputPaths,
    directory: Path,
    log: Log,
    options: BatchOptions,
) -> ComputedJobs:
    """Take jobs from the place where the nodes meet, and wait until those of other nodes have ended, too.

    Args:
        plan: the jobs of the batch: the same for all nodes.
        output: the output directory, which all nodes share unless they meet in a store.
        directory: the spec directory.
        log: receives the progress.
        options: of the batch, with `lease_seconds`.

    Raises:
        OutputError: other nodes work on another plan.
        StoreError: the store in which the nodes meet cannot be used.
        OSError: the output directory can no longer be written to.
    """
    assert options.lease_seconds is not None
    names = [planned.job.name for planned in plan]
    place = options.queue_place
    batch = join_batch(output, queue_fingerprint(plan), names, options.lease_seconds, place)
    options.on_joined()
    results: dict[str, JobResult] = {}
    cluster = join_processes(options.cluster, batch, options.stop) if options.cluster is not None else None
    recorder = QueueRecorder(log, output, batch, cluster)
    collected = QueueResults(output, log, options.lease_seconds, results)
    order = costliest_first(plan, options.costs, output)
    make_task = task_maker(directory, options, len(plan), output.cache)
    queue = node_queue(order, batch, recorder, collected, make_task, cluster)
    try:
        first = queue.take()
        stopped_by = None
        if queue.open:
            tasks = [first] if first is not None else []
            stopped_by = work_through(tasks, len(plan), recorder, results, options, queue)
    finally:
        batch.leave(options.flush_store, done=not queue.open)
    ended = {name: batch.read_ended(name) for name in names if name in results}
    return ComputedJobs(
        results=results,
        reused=[name for name in ended if ended[name].reused],
        set_aside=[aside for record in ended.values() for aside in record.set_aside],
        stopped_by=stopped_by,
        unusable=collected.unusable,
        began_at=batch.began_at,
    )
