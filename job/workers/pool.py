"""The worker processes of a batch: started, and none left at the end.

Imports little: loading TensorFlow takes a worker seconds, and the sooner it begins the better.
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

from job.process.environment import IGNORED_VARIABLES
from job.process.import_path import worker_command, worker_variables
from job.workers.limits import device_variables

if TYPE_CHECKING:
    from job.results.job_result import Progress
    from job.running.task import Task

VARIABLES = {
    # One thread an operation: small ones gain nothing from more, and sums would depend on their number. How
    # many operations run at once is the task's to say.
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "TF_CPP_MIN_LOG_LEVEL": "2",
    "KERAS_BACKEND": "tensorflow",
}
"""Set for a worker before it starts: some libraries read them as they load."""


@dataclass
class Worker:
    """A worker process and what it is at.

    Args:
        process, connection: of the worker.
        output: what it says before its first job.
        variables: of its environment: its device, which its successor gets too.
        ready: it has loaded TensorFlow.
        task: that it is at.
        log_start: where its own lines begin in the task's log, bytes: what is before is of earlier attempts.
        progress: how far it told that the task is; None where it did not yet.
        deadline: on the monotonic clock; what it is at may not take longer.
        spent: it is to be replaced before it does another task.
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


def start_worker(variables: Mapping[str, str]) -> Worker:
    """Start a worker process; it loads TensorFlow on its own time and then waits for a task."""
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
        start_new_session=True,  # Ctrl-C reaches the parent alone, which decides
    )
    there.close()
    return Worker(process, Connection(here.detach()), output, variables)


def stop_worker(worker: Worker, *, at_once: bool = False) -> None:
    """End a worker: ask it to leave, or kill it."""
    if at_once:
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
    """Start a pool's first worker before it is known what there is to do: loading TensorFlow takes seconds.

    Whatever happens, it is not left at the end.
    """
    worker = start_worker(device_variables(gpus, 0))
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            stop_worker(worker, at_once=True)


@contextmanager
def worker_pool(count: int, gpus: Sequence[str] = (), first: Worker | None = None) -> Iterator[list[Worker]]:
    """Start `count` workers, each on the next of the GPUs; whatever happens, none is left at the end.

    `first` is one that was started before, see `first_worker`.
    """
    started = [] if first is None else [first][:count]
    workers = started + [start_worker(device_variables(gpus, i)) for i in range(len(started), count)]
    at_once = True
    try:
        yield workers
        at_once = False
    finally:
        for worker in workers:
            stop_worker(worker, at_once=at_once or worker.task is not None)
