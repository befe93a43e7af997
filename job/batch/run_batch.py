"""Run a batch: reuse finished jobs, train the others, judge all of them and write the reports."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from job.batch.batch_ensembles import ensembles_of_run, stop_of_ensembles
from job.batch.batch_options import BatchOptions
from job.batch.computed_jobs import ComputedJobs
from job.batch.planning import PlannedJob, plan_entry, remaining_costs
from job.batch.progress import Log
from job.batch.run_alone import run_alone
from job.batch.run_queue import run_queue
from job.batch.shared_trainings import share_trainings
from job.gating import batch_verdict
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.storage.artifacts import OutputPaths, refuse_links


def run_batch(
    plan: Sequence[PlannedJob], output: OutputPaths, directory: Path, log: Log, options: BatchOptions
) -> Report:
    """Train the jobs that are not done, write the reports, and return the batch's report.

    Args:
        plan: the jobs to run or reuse, in the spec's order.
        output: prepared, see `artifacts.prepare_output`.
        directory: the spec directory.
        log: receives the batch's progress.
        options: of the batch.

    Raises:
        DependencyError: TensorFlow does not work.
        OutputError: a job directory is a symbolic link.
        OSError: the output directory can no longer be written to.
        Stopped: it was asked to stop twice.
    """
    started_at, entries = datetime.now(timezone.utc), [plan_entry(p) for p in plan]
    plan = share_trainings(plan, fresh=options.fresh)
    computed = _compute(plan, output, directory, log, options)
    results, stopped_by = computed.results, computed.stopped_by
    found = [results[p.job.name] for p in plan if p.job.name in results]
    baseline = options.baseline if stopped_by is None else None
    comparison = baseline.compare(found, output, plan) if baseline is not None else None
    seeds = summarize_seeds(found, seed_families(entries))
    ensembles = ensembles_of_run(entries, results, output, options)
    unsaved = batch_verdict.failures(options.flush_store())
    verdict = batch_verdict.decide(
        [entry.name for entry in entries],
        found,
        stopped_by=stopped_by or stop_of_ensembles(ensembles, options),
        may_be_empty=options.may_be_empty,
        comparison=comparison,
        seeds=seeds,
        besides=[*unsaved, *batch_verdict.ensemble_findings(ensembles)],
        unusable=computed.unusable,
    )
    report = build_report(
        found,
        started_at=computed.began_at or started_at,
        finished_at=datetime.now(timezone.utc),
        verdict=verdict,
        missing=[each.name for each in entries if each.name not in results],
        reused=computed.reused,
        comparison=comparison,
        seeds=seeds,
        ensembles=ensembles,
        set_aside=computed.set_aside,
        unusable=computed.unusable,
    )
    write_reports(output, report)
    log.ended(report, output.report)
    return report


def _compute(
    plan: Sequence[PlannedJob], output: OutputPaths, directory: Path, log: Log, options: BatchOptions
) -> ComputedJobs:
    """Compute the results of the jobs: alone, or with `--queue` together with other nodes."""
    refuse_links(output, [p.job.name for p in plan])
    log.begun(len(plan), remaining_costs(plan, options.costs))
    run = run_queue if options.lease_seconds is not None else run_alone
    return run(plan, output, directory, log, options)
