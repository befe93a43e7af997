"""Compute the ensembles of a batch once all their members are finished, or reuse their results."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from job.batch.ensemble_decoding import EnsembleOptions, decode_members
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
from job.running.ensemble_task import DecodedEnsemble
from job.storage.artifacts import OutputPaths
from job.storage.ensemble_paths import EnsemblePaths, ensemble_paths

_LOCK_SECONDS = 0.2
"""Seconds between two attempts to lock an ensemble that another process computes."""


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
    found = recorded_ensemble(paths, fingerprint_of(models_of(members)))
    if found is not None:
        return found
    prepare_directory(paths)
    compute = _compute_together if options.together else _compute_alone
    return compute(ensemble, members, output, options)


def _compute_alone(
    ensemble: PlannedEnsemble, members: list[JobResult], output: OutputPaths, options: EnsembleOptions
) -> EnsembleResult:
    """Compute an ensemble with the lock on it, unless another process has computed it before."""
    paths = ensemble_paths(output, ensemble.name)
    with _locked(paths, options.may_continue) as locked:
        if not locked:
            return _without(ensemble, "waiting", options.not_now)
        if (found := recorded_ensemble(paths, fingerprint_of(models_of(members)))) is not None:
            return found
        decoded = decode_members(members, paths, output, options)
        return _finish(ensemble, members, output, decoded, options)


def _compute_together(
    ensemble: PlannedEnsemble, members: list[JobResult], output: OutputPaths, options: EnsembleOptions
) -> EnsembleResult:
    """Decode an ensemble together with other processes; the first that is ready writes the result."""
    paths, fingerprint = ensemble_paths(output, ensemble.name), fingerprint_of(models_of(members))
    decoded = decode_members(members, paths, output, options, paths.parts / fingerprint[:16])
    with _locked(paths, options.may_continue) as locked:
        if not locked:
            return _without(ensemble, "waiting", options.not_now)
        found = recorded_ensemble(paths, fingerprint)
        result = found or _finish(ensemble, members, output, decoded, options)
        if result.status == "computed":
            shutil.rmtree(paths.parts, ignore_errors=True)
        return replace(result, reused=False)


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


def _finish(
    ensemble: PlannedEnsemble,
    members: list[JobResult],
    output: OutputPaths,
    decoded: DecodedEnsemble | Failure | None,
    options: EnsembleOptions,
) -> EnsembleResult:
    """Return the result of an ensemble in place of an earlier one; write it if it was decoded."""
    ensemble_paths(output, ensemble.name).result.unlink(missing_ok=True)
    if decoded is None:
        return _without(ensemble, "waiting", options.not_now)
    if isinstance(decoded, Failure):
        return _without(ensemble, "failed", decoded.summary)
    return write_ensemble(ensemble, members, output, decoded)
