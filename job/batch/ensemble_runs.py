"""Compute the ensembles of a batch once all their members are finished, or reuse their results."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from job.batch.ensemble_files import prepare_directory, recorded_ensemble, write_ensemble
from job.batch.ensemble_members import (
    PlannedEnsemble,
    Unready,
    fingerprint_of,
    incompatible,
    member_results,
    models_of,
    planned_ensembles,
)
from job.batch.lock import lock_file
from job.errors import OutputError
from job.gating.plan_file import PlanEntry
from job.results.ensemble_records import EnsembleResult, EnsembleStatus
from job.results.job_result import Failure, JobResult
from job.running.ensemble_task import EnsembleTask
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths
from job.storage.ensemble_paths import EnsemblePaths, ensemble_paths
from job.workers.ensemble_worker import decode_in_worker

_LOCK_SECONDS = 0.2
"""Seconds between two attempts to lock an ensemble that another process computes."""


@dataclass(frozen=True, kw_only=True)
class EnsembleOptions:
    """How ensembles are computed.

    Args:
        due: names of the jobs that must have a result now: without one of them an ensemble has failed.
            It waits for other members, which another shard or a later run trains.
        gpus: names of the GPUs.
        threads: number of operations that TensorFlow may run at once.
        may_continue: whether to go on; False after a request to stop.
        not_now: why an ensemble waits if it is not to go on, as a clause.
    """

    due: Collection[str]
    gpus: Sequence[str] = ()
    threads: int = 1
    may_continue: Callable[[], bool] = field(default=lambda: True)
    not_now: str = "the run was stopped; run the batch again"


def compute_ensembles(
    entries: Sequence[PlanEntry],
    results: Mapping[str, JobResult],
    output: OutputPaths,
    options: EnsembleOptions,
) -> tuple[EnsembleResult, ...]:
    """Return the results of all ensembles of a plan; compute those whose members have changed.

    Args:
        entries: the plan of this run.
        results: the results of this run, by job name.
        output: the output directory, with the job directories of the members.
        options: of the computation.

    Raises:
        DependencyError: TensorFlow does not work.
        OutputError: the directory of an ensemble is a symbolic link.
        OSError: a file cannot be written.
    """
    return tuple(_ensemble(each, results, output, options) for each in planned_ensembles(entries))


def _ensemble(
    ensemble: PlannedEnsemble,
    results: Mapping[str, JobResult],
    output: OutputPaths,
    options: EnsembleOptions,
) -> EnsembleResult:
    members = member_results(ensemble, results, output, options.due)
    if isinstance(members, Unready):
        return _without(ensemble, members.status, members.reason)
    if reason := incompatible(members):
        return _without(ensemble, "failed", reason)
    paths = ensemble_paths(output, ensemble.name)
    fingerprint = fingerprint_of(models_of(members))
    if (found := recorded_ensemble(paths, fingerprint)) is not None:
        return found
    prepare_directory(paths)
    with _locked(paths, options.may_continue) as locked:
        if not locked:
            return _without(ensemble, "waiting", options.not_now)
        if (found := recorded_ensemble(paths, fingerprint)) is not None:  # another process has computed it
            return found
        return _compute(ensemble, members, output, options)


def _without(ensemble: PlannedEnsemble, status: EnsembleStatus, reason: str) -> EnsembleResult:
    return EnsembleResult(name=ensemble.name, members=ensemble.members, status=status, reason=reason)


@contextmanager
def _locked(paths: EnsemblePaths, may_continue: Callable[[], bool]) -> Iterator[bool]:
    """Lock an ensemble for the block; yield False if the run was stopped while another process had it."""
    while may_continue():
        lock = lock_file(paths.lock)
        try:
            lock.__enter__()
        except OutputError:
            time.sleep(_LOCK_SECONDS)
            continue
        try:
            yield True
        finally:
            lock.__exit__(None, None, None)
        return
    yield False


def _compute(
    ensemble: PlannedEnsemble, members: list[JobResult], output: OutputPaths, options: EnsembleOptions
) -> EnsembleResult:
    first, paths = members[0], ensemble_paths(output, ensemble.name)
    paths.result.unlink(missing_ok=True)
    other = [m.name for m in members if m.test_fingerprint != first.test_fingerprint]
    task = EnsembleTask(
        name=ensemble.name,
        job=JobSpec.read_recorded(first.spec),
        members={member.name: output.job(member.name).directory for member in members},
        test=output.job(first.name).predictions,
        decoded_alone=tuple(other),
        log=paths.log,
        threads=options.threads,
    )
    decoded = decode_in_worker(task, options.gpus, options.may_continue)
    if decoded is None:
        return _without(ensemble, "waiting", options.not_now)
    if isinstance(decoded, Failure):
        return _without(ensemble, "failed", decoded.summary)
    return write_ensemble(ensemble, members, output, decoded)
