"""The ensembles of a run and of a merge."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from job.batch.batch_options import BatchOptions
from job.batch.ensemble_decoding import EnsembleOptions
from job.batch.ensemble_runs import compute_ensembles
from job.gating.plan_file import PlanEntry
from job.process.stopping import Request
from job.results.ensemble_records import EnsembleResult
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths
from job.workers.limits import read_limits, thread_count


def ensembles_of_run(
    entries: Sequence[PlanEntry],
    results: Mapping[str, JobResult],
    output: OutputPaths,
    options: BatchOptions,
) -> tuple[EnsembleResult, ...]:
    """Return the ensembles of a run's jobs; compute those whose members are finished.

    Args:
        entries: the plan of the run: of a shard, its own jobs.
        results: by job name.
        output: the output directory.
        options: of the batch.
    """
    ensemble_options = EnsembleOptions(
        due=[entry.name for entry in entries],
        gpus=options.gpus,
        threads=thread_count(options.cores, 1),
        may_continue=lambda: options.stop.request is None,
        together=options.lease_seconds is not None,
    )
    return compute_ensembles(entries, results, output, ensemble_options)


def ensembles_of_merge(
    plan: Sequence[PlanEntry],
    results: Sequence[JobResult],
    output: OutputPaths,
    due: Collection[str],
    *,
    running: bool,
) -> tuple[EnsembleResult, ...]:
    """Return the ensembles of a batch; compute those that no run has, unless a run may do so still.

    Args:
        plan: of the batch.
        results: that can be used.
        output: where the results are gathered.
        due: names of the jobs that must have a result now.
        running: whether a process runs a part of the batch.
    """
    if not any(entry.ensemble for entry in plan):
        return ()
    limits = read_limits()
    options = EnsembleOptions(
        due=due,
        gpus=limits.gpus,
        threads=thread_count(limits.whole_cores, 1),
        may_continue=lambda: not running,
        not_now="the batch is still running",
    )
    return compute_ensembles(plan, {result.name: result for result in results}, output, options)


def stop_of_ensembles(ensembles: Sequence[EnsembleResult], options: BatchOptions) -> Request | None:
    """Return the request to stop if it has left an ensemble to a later run."""
    waiting = any(ensemble.status == "waiting" for ensemble in ensembles)
    return options.stop.request if waiting else None
