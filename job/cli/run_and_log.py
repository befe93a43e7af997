"""Run the jobs of a batch, with progress on standard error and on a tracker."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from job.batch.batch_options import BatchOptions
from job.batch.open_log import open_log
from job.batch.planning import PlannedJob
from job.batch.report_guard import ReportGuard
from job.batch.run_batch import run_batch
from job.cli.run_options import RunOptions
from job.results.batch_report import Report
from job.storage.artifacts import OutputPaths
from job.tracking.live_process import followed_by_mlflow


def run_and_log(
    chosen: Sequence[PlannedJob],
    output: OutputPaths,
    options: RunOptions,
    batch_options: BatchOptions,
    guard: ReportGuard,
) -> Report:
    """Run the jobs and return the report; arguments as those of `run_planned`."""
    log = open_log(options.log_format)
    try:
        trains = any(planned.result is None for planned in chosen)
        with followed_by_mlflow(output) if options.mlflow and trains else nullcontext():
            report = run_batch(chosen, output, options.spec.parent, log, batch_options)
        guard.reported, guard.report = True, report
        return report
    finally:
        log.close()
