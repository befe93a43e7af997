"""Start a batch: launch the first worker, load the spec, lock the output directory and plan the jobs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from job.cli.checked_spec import load_estimated_spec

if TYPE_CHECKING:
    from job.batch.batch_options import BatchOptions
    from job.batch.report_guard import ReportGuard
    from job.cli.run_options import RunOptions


def start_batch(options: RunOptions, guard: ReportGuard) -> int:
    """Run a batch and return its exit code.

    The first worker is started before the spec is read and slow modules are imported, because it takes
    seconds to load TensorFlow.

    Args:
        options: of the run.
        guard: records how far the run has come.
    """
    from job.process.installed_versions import check_versions
    from job.workers.limits import read_limits, worker_count
    from job.workers.pool import first_worker

    limits = read_limits()
    check_versions()
    with options.stop.handling_signals(), first_worker(limits.gpus) as first:
        from job.batch.batch_options import BatchOptions

        batch_options = BatchOptions(
            workers=worker_count(limits) if options.workers is None else options.workers,
            cores=limits.whole_cores,
            gpus=limits.gpus,
            first_worker=first,
            stop=options.stop,
            fresh=options.fresh,
            fail_fast=options.fail_fast,
            tensorboard=options.tensorboard,
            live_history=options.mlflow,
            may_be_empty=options.is_shard,
            lease_seconds=options.lease_seconds if options.queue else None,
            cluster=options.cluster,
            flush_store=options.store.flush,
        )
        return _plan_and_run(options, batch_options, guard)


def _plan_and_run(options: RunOptions, batch_options: BatchOptions, guard: ReportGuard) -> int:
    """Load the spec, lock the output directory, plan the jobs and run those selected."""
    from job.batch.opened_output import opened_output
    from job.batch.planning import make_plan
    from job.batch.shard_jobs import jobs_of_shard
    from job.batch.start_jobs import require_parents, with_parents
    from job.cli.run_planned import run_planned
    from job.storage.artifacts import OutputPaths

    estimated = load_estimated_spec(options.spec, OutputPaths(options.output_dir).cache)
    spec, checksums = estimated.spec, estimated.checksums
    selected = options.select([job.name for job in spec.jobs])
    batch_options = replace(batch_options, costs=estimated.costs)
    with opened_output(options.output_dir, options.lock_name, options.refused_locks) as output:
        own, store = selected, options.store
        store.open(output, options.shard.label, shared=options.queue)
        if options.is_shard:
            own = jobs_of_shard(options.shard, spec.jobs, selected, estimated.costs, checksums, output)
        whole = not options.is_shard and not options.only
        store.fetch(output, None if whole else with_parents(own, spec.jobs), shared=options.queue)
        plan = make_plan(spec, output, checksums, () if options.fresh else own)
        chosen = [planned for planned in plan if planned.job.name in own]
        require_parents(chosen, output)
        names, shared = None if whole else own, options.lease_seconds if options.queue else None
        place = store.start(output, names, lambda: options.stop.request is not None, shared)
        batch_options = replace(batch_options, queue_place=place)
        return run_planned(plan, chosen, output, options, batch_options, guard)
