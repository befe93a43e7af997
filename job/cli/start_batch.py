"""From the checked options of a run to its plan, with the output directory locked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from job.cli.checked_spec import load_checked_spec

if TYPE_CHECKING:
    from job.batch.batch_options import BatchOptions
    from job.batch.report_guard import ReportGuard
    from job.cli.run_options import RunOptions
    from job.spec.loading import LocatedSpec


def start_batch(options: RunOptions, guard: ReportGuard) -> int:
    """Run a batch and return its exit code.

    The first worker is started before the spec is read and anything slow is imported: it needs seconds to
    load TensorFlow.

    Args:
        options: of the run.
        guard: records how far the run has come.
    """
    from job.process import environment
    from job.workers.limits import read_limits, worker_count
    from job.workers.pool import first_worker

    limits = read_limits()
    environment.check_versions()
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
        )
        return _plan_and_run(options, batch_options, guard)


def _plan_and_run(options: RunOptions, batch_options: BatchOptions, guard: ReportGuard) -> int:
    """Load the spec, lock the output directory, plan the jobs and run those selected."""
    from job.batch.lock import EXCLUSIVE, lock_output
    from job.batch.planning import make_plan
    from job.cli.run_planned import run_planned
    from job.storage.artifacts import prepare_output
    from job.storage.staged_update import complete_update

    located, checksums = _load_spec(options.spec)
    names = [job.name for job in located.spec.jobs]
    selected = options.select(names)
    output = prepare_output(options.output_dir)
    part = options.shard
    with lock_output(output.root, f"shard-{part.label}" if options.is_shard else EXCLUSIVE):
        complete_update(output)
        verified = () if options.fresh else part.select([name for name in names if name in selected])
        plan = make_plan(located.spec, output, checksums, verified)
        chosen = part.select([planned for planned in plan if planned.job.name in selected])
        return run_planned(plan, chosen, output, options, batch_options, guard)


def _load_spec(spec: Path) -> tuple[LocatedSpec, dict[str, dict[str, str]]]:
    """Return a spec, and by job name the checksums of the data that was read; the data itself is released."""
    from job.problems.data_files import all_checksums

    located, problems = load_checked_spec(spec)
    return located, all_checksums(problems)
