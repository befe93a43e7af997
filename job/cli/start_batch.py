"""From the checked options of a run to its plan, with the output directory locked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from job.cli.checked_spec import load_checked_spec

if TYPE_CHECKING:
    from job.batch.batch_options import BatchOptions
    from job.batch.report_guard import ReportGuard
    from job.batch.shard import Shard
    from job.cli.run_options import RunOptions
    from job.spec.file_locations import Checksums
    from job.spec.loading import LocatedSpec
    from job.spec.schema import JobSpec
    from job.storage.artifacts import OutputPaths


def start_batch(options: RunOptions, guard: ReportGuard) -> int:
    """Run a batch and return its exit code.

    The first worker is started before the spec is read and anything slow is imported: it needs seconds to
    load TensorFlow.

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
            may_be_empty=options.is_shard,
            lease_seconds=options.lease_seconds if options.queue else None,
        )
        return _plan_and_run(options, batch_options, guard)


def _plan_and_run(options: RunOptions, batch_options: BatchOptions, guard: ReportGuard) -> int:
    """Load the spec, lock the output directory, plan the jobs and run those selected."""
    from job.batch.lock import lock_output, refuse_beside
    from job.batch.planning import make_plan
    from job.cli.run_planned import run_planned
    from job.storage.artifacts import prepare_output
    from job.storage.staged_update import complete_update

    located, checksums, costs = _load_spec(options.spec)
    selected = options.select([job.name for job in located.spec.jobs])
    batch_options = replace(batch_options, costs=costs)
    output = prepare_output(options.output_dir)
    part = options.shard
    with lock_output(output.root, options.lock_name):
        if options.queue or options.is_shard:
            refuse_beside(output.root, "shard-" if options.queue else "queue-")
        complete_update(output)
        own = selected
        if options.is_shard:
            jobs = [job for job in located.spec.jobs if job.name in selected]
            own = _jobs_of_shard(part, jobs, costs, checksums, output)
        plan = make_plan(located.spec, output, checksums, () if options.fresh else own)
        chosen = [planned for planned in plan if planned.job.name in own]
        return run_planned(plan, chosen, output, options, batch_options, guard)


def _jobs_of_shard(
    shard: Shard,
    jobs: Sequence[JobSpec],
    costs: Mapping[str, float],
    checksums: Mapping[str, Checksums],
    output: OutputPaths,
) -> set[str]:
    """Return the names of a shard's jobs, by the division that all shards in the directory go by."""
    from job.batch.balanced_shards import deal_jobs
    from job.batch.shard_file import agreed_deal, plan_fingerprint

    deal = deal_jobs({job.name: costs[job.name] for job in jobs}, shard.count)
    return {*agreed_deal(output, deal, plan_fingerprint(jobs, checksums)).names(shard.index)}


def _load_spec(spec: Path) -> tuple[LocatedSpec, dict[str, dict[str, str]], dict[str, float]]:
    """Return a spec, and by job name the checksums of the data that was read and the estimated seconds.

    The data itself is released.
    """
    from job.batch.cost_estimate import estimate_costs
    from job.problems.data_files import all_checksums

    located, problems = load_checked_spec(spec)
    return located, all_checksums(problems), estimate_costs(located.spec.jobs, problems)
