"""Start the worker processes of a batch, and stop all of them at its end.

This module imports little, because a worker needs seconds to load TensorFlow and is started first.
"""

from __future__ import annotations

import math
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import IO, TYPE_CHECKING

from job.process.import_path import worker_command, worker_variables
from job.process.tensorflow_loading import IGNORED_VARIABLES
from job.workers.limits import device_variables

if TYPE_CHECKING:
    from job.results.job_result import Progress
    from job.running.task import Task

VARIABLES = {
    # One thread per operation: small operations gain nothing from more, and the results of sums would depend
    # on their number. How many operations run at the same time is in the task.
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "KERAS_BACKEND": "tensorflow",
}
"""Environment variables of a worker, set before it starts: some libraries read them when they are loaded."""


@dataclass
class Worker:
    """A worker process and its current task.

    Args:
        process, connection: of the worker.
        output: what the process prints before its first job.
        variables: environment variables that select its device; a replacement gets the same.
        ready: whether it has loaded TensorFlow.
        task: the current task, None if it is free.
        log_start: size in bytes of the task's log when the attempt began: earlier lines are of other
            attempts.
        progress: the last progress of the task; None before the first.
        deadline: deadline of the current task, in monotonic seconds.
        spent: whether it must be replaced before its next task.
        cancelling: whether its task is being cancelled: it saves its state and exits.
    """

    process: subprocess.Popen[bytes]
    connection: Connection
    output: IO[bytes]
    variables: Mapping[str, str] = field(default_factory=dict)
    ready: bool = False
    task: Task | None = None
    log_start: int = 0
    progress: Progress | None = None
    deadline: float = math.inf
    spent: bool = False
    cancelling: bool = False


def start_worker(variables: Mapping[str, str]) -> Worker:
    """Start a worker process, which loads TensorFlow while it waits for a task."""
    here, there = socket.socketpair()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    given = {name: value for name, value in worker_variables().items() if name not in IGNORED_VARIABLES}
    process = subprocess.Popen(
        worker_command(sys.executable, there.fileno()),
        pass_fds=[there.fileno()],
        env={**given, **VARIABLES, **variables},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C reaches only the parent, which stops its workers
    )
    there.close()
    return Worker(process, Connection(here.detach()), output, variables)


def stop_worker(worker: Worker, *, kill: bool = False) -> None:
    """Stop a worker process: ask it to exit, or kill it."""
    if kill:
        worker.process.kill()
    with suppress(OSError):
        worker.connection.send(None)
    try:
        worker.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    worker.connection.close()
    worker.output.close()


@contextmanager
def first_worker(gpus: Sequence[str] = ()) -> Iterator[Worker]:
    """Start a pool's first worker in advance, for the block: loading TensorFlow takes seconds.

    If it still runs at the end of the block, it is killed.
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
        count: number of workers.
        gpus: GPUs that the workers take in turn.
        first: a worker that was started in advance, see `first_worker`; the others are started now.
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
