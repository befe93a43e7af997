"""Decode an ensemble in a worker process, and wait for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from job.errors import DependencyError
from job.results.job_result import Failure
from job.running.ensemble_task import DecodedEnsemble, EnsembleTask
from job.workers.lost_workers import describe_exit
from job.workers.messages import Broken, EnsembleFinished, Failed
from job.workers.pool import worker_pool
from job.workers.replies import POLL_SECONDS


def decode_in_worker(
    task: EnsembleTask, gpus: Sequence[str], may_continue: Callable[[], bool]
) -> DecodedEnsemble | Failure | None:
    """Decode an ensemble in a process of its own.

    Args:
        task: The ensemble.
        gpus: Names of the GPUs.
        may_continue: Whether to wait on; asked several times a second.

    Returns:
        What it gave or why it failed; None if it was not to continue.

    Raises:
        DependencyError: TensorFlow does not work.
    """
    with worker_pool(1, gpus) as (worker,):
        worker.connection.send(task)
        while may_continue():
            if not worker.connection.poll(POLL_SECONDS):
                continue
            try:
                message = worker.connection.recv()
            except (EOFError, OSError):
                return Failure("WorkerLost", f"the worker process {describe_exit(worker.process)}")
            match message:
                case EnsembleFinished(decoded):
                    return decoded
                case Failed(failure):
                    return failure
                case Broken(text):
                    raise DependencyError(text)
        worker.process.kill()
    return None
