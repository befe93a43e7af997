"""Start the worker processes of a batch, and stop all of them at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from job.workers.limits import device_variables
from job.workers.worker_handle import Worker, start_worker, stop_worker


@contextmanager
def first_worker(gpus: Sequence[str] = ()) -> Iterator[Worker]:
    """Start a pool's first worker in advance, for the block: loading TensorFlow takes seconds.

    If it is still running at the end of the block, it is killed.
    """
    worker = start_worker(device_variables(gpus, 0))
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            stop_worker(worker, kill=True)


@contextmanager
def worker_pool(count: int, gpus: Sequence[str] = (), first: Worker | None = None) -> Iterator[list[Worker]]:
    """Start worker processes for the block, and stop all of them at its end.

    Args:
        count: Number of workers.
        gpus: Names of the GPUs; workers take them in turn.
        first: Worker that was started in advance (see `first_worker`); the others are started now.
    """
    started = [] if first is None else [first][:count]
    workers = started + [start_worker(device_variables(gpus, i)) for i in range(len(started), count)]
    kill = True
    try:
        yield workers
        kill = False
    finally:
        for worker in workers:
            stop_worker(worker, kill=kill or worker.task is not None)
