"""Run the jobs of a batch in this process alone, without sharing them with other nodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.computed_jobs import ComputedJobs
from job.batch.job_recorder import JobRecorder
from job.batch.measured_costs import measured_evaluations
from job.batch.planning import PlannedJob
from job.batch.progress import Log
from job.batch.reuse import prepare_jobs, reuse_results
from job.batch.train_jobs import train_jobs
from job.results.batch_report import SetAside
from job.storage.artifacts import OutputPaths


def run_alone(
    plan: Sequence[PlannedJob], output: OutputPaths, directory: Path, log: Log, options: BatchOptions
) -> ComputedJobs:
    """Reuse the results of finished jobs, and train or evaluate the others.

    Args:
        plan: the jobs of the batch.
        output: the output directory, which this process has locked.
        directory: the spec directory.
        log: receives the progress.
        options: of the batch.

    Raises:
        OSError: the output directory can no longer be written to.
    """
    set_aside: list[SetAside] = []
    evaluated = measured_evaluations((p.job, p.decision.previous.recorded) for p in plan)
    reused = {} if options.fresh else reuse_results(plan, output, log, set_aside)
    todo = [p for p in plan if p.job.name not in reused]
    prepared = prepare_jobs(todo, output, log, set_aside, fresh=options.fresh)
    results = dict(reused)
    reasons = {p.planned.job.name: p.reason for p in prepared}
    recorder = JobRecorder(log, output, set_aside, reasons, evaluated)
    stopped_by = train_jobs(prepared, directory, recorder, results, options)
    return ComputedJobs(results=results, reused=[*reused], set_aside=set_aside, stopped_by=stopped_by)
