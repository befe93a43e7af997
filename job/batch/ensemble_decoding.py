"""Decode the ensemble of a job's seeds in a worker, alone or with other processes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from job.results.job_result import Failure, JobResult
from job.running.ensemble_task import DecodedEnsemble, EnsembleTask
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths
from job.storage.ensemble_paths import EnsemblePaths
from job.workers.ensemble_worker import decode_in_worker


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
        together: whether other processes compute the same ensembles at this time: they share the decoding.
    """

    due: Collection[str]
    gpus: Sequence[str] = ()
    threads: int = 1
    may_continue: Callable[[], bool] = field(default=lambda: True)
    not_now: str = "the run was stopped; run the batch again"
    together: bool = False


def decode_members(
    members: Sequence[JobResult],
    paths: EnsemblePaths,
    output: OutputPaths,
    options: EnsembleOptions,
    parts: Path | None = None,
) -> DecodedEnsemble | Failure | None:
    """Decode an ensemble in a worker, again if that is lost, up to `retries` times as a job.

    Args:
        members: the results of its members.
        paths: its files.
        output: the output directory, with the job directories of the members.
        options: of the computation.
        parts: see `EnsembleTask`.

    Returns:
        what it gave or why it failed; None if it was not to continue.

    Raises:
        DependencyError: TensorFlow does not work.
    """
    first = members[0]
    job = JobSpec.read_recorded(first.spec)
    task = EnsembleTask(
        name=paths.directory.name,
        job=job,
        members={member.name: output.job(member.name).directory for member in members},
        test=output.job(first.name).predictions,
        decoded_alone=tuple(m.name for m in members if m.test_fingerprint != first.test_fingerprint),
        log=paths.log,
        parts=parts,
        threads=options.threads,
    )
    decoded = decode_in_worker(task, options.gpus, options.may_continue)
    for _ in range(job.retries):
        if not isinstance(decoded, Failure) or decoded.type != "WorkerLost":
            break
        decoded = decode_in_worker(task, options.gpus, options.may_continue)
    return decoded
