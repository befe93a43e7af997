"""Run the jobs of a plan, print the summary, update the baseline and return the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from job.batch.baseline import check_baseline
from job.batch.batch_options import BatchOptions
from job.batch.cost_estimate import batch_costs
from job.batch.planning import PlannedJob, write_plan
from job.batch.report_guard import ReportGuard
from job.cli.finished_batch import report_to_github, report_to_mlflow, update_if_successful
from job.cli.run_and_log import run_and_log
from job.cli.run_options import RunOptions
from job.cli.terminal_output import open_console, print_line
from job.reports.terminal import print_summary
from job.spec.equal_trainings import first_alike
from job.storage.artifacts import OutputPaths, prepare_output


def run_planned(
    plan: Sequence[PlannedJob],
    chosen: Sequence[PlannedJob],
    output: OutputPaths,
    options: RunOptions,
    batch_options: BatchOptions,
    guard: ReportGuard,
) -> int:
    """Run the chosen jobs of a plan and return the batch's exit code.

    Args:
        plan: all jobs of the spec.
        chosen: the jobs to run.
        output: prepared and locked.
        options: of the run.
        batch_options: options of the batch, without the baseline.
        guard: records how far the run has come.
    """
    baseline = options.baseline
    if baseline is not None:
        if options.update_baseline and baseline.is_dir():
            prepare_output(baseline)  # raises before training if the baseline is not writable
        recorded = check_baseline(
            baseline, output, plan, chosen, options.spec.parent, sharded=options.is_shard
        )
        batch_options = replace(batch_options, baseline=recorded)
    costs = batch_costs(batch_options.costs, first_alike([p.job for p in plan]))
    if batch_options.lease_seconds is None:
        write_plan(output, plan, costs)
    else:  # a node that is refused leaves the plan of the batch that others work on
        batch_options = replace(batch_options, on_joined=partial(write_plan, output, plan, costs))
    guard.start()
    output = replace(output, shard=options.shard.label)
    batch_options = batch_options.for_mirrored_models(chosen)
    with options.stop.deferring_signals():
        report = run_and_log(chosen, output, options, batch_options, guard)
        print_summary(report, open_console())
        print_line(f"reports: {output.html}")
        report_to_github(report)
        if baseline is not None and options.update_baseline:
            update_if_successful(baseline, output, report, [p.job.name for p in plan])
        if options.mlflow:
            report_to_mlflow(report, output)
        return report.exit_code
