"""Run tasks in worker processes: a free worker takes the next task; results come back by name.

One worker is the same code as many. The parent never imports TensorFlow.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import IO, Protocol

from job.batch.messages import Advanced, Broken, Failed, Finished
from job.batch.worker import VARIABLES
from job.errors import DependencyError
from job.results import Failure, JobResult, Progress
from job.task import Task

LOG_LINES = 20
"""How much of a log is quoted when a worker is lost."""

POLL_SECONDS = 1.0


class Watcher(Protocol):
    """Whoever is told how a batch goes."""

    def started(self, task: Task) -> None:
        """A worker took the job."""

    def advanced(self, name: str, progress: Progress) -> None:
        """Training went on."""

    def finished(self, task: Task, outcome: JobResult | Failure) -> JobResult:
        """The job came to an end; returns what is to be recorded."""

    def tick(self) -> None:
        """Called at least every `POLL_SECONDS`."""


@dataclass
class _Worker:
    """A worker process and what it is at."""

    process: subprocess.Popen[bytes]
    connection: Connection
    output: IO[bytes]
    task: Task | None = None
    failed: bool = field(default=False)


def start_worker() -> _Worker:
    """Start a worker process; it loads TensorFlow on its own time and then waits for a task."""
    here, there = socket.socketpair()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - what it says before its first job; lives as it does
    process = subprocess.Popen(
        [sys.executable, "-m", "job.batch.worker", str(there.fileno())],
        pass_fds=[there.fileno()],
        env={**os.environ, **VARIABLES},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # Ctrl-C reaches the parent alone, which decides
    )
    there.close()
    return _Worker(process, Connection(here.detach()), output)


def stop_worker(worker: _Worker, *, at_once: bool = False) -> None:
    """End a worker: ask it to leave, or kill it."""
    with suppress(OSError):
        worker.connection.send(None)
    if at_once:
        worker.process.kill()
    try:
        worker.process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        worker.process.kill()
        worker.process.wait()
    worker.connection.close()
    worker.output.close()


@contextmanager
def worker_pool(count: int) -> Iterator[list[_Worker]]:
    """Start `count` workers; whatever happens, none is left running at the end."""
    workers = [start_worker() for _ in range(count)]
    try:
        yield workers
    finally:
        for worker in workers:
            stop_worker(worker, at_once=worker.task is not None)


def run_tasks(
    tasks: Sequence[Task],
    workers: list[_Worker],
    watcher: Watcher,
    results: dict[str, JobResult],
    *,
    fail_fast: bool = False,
) -> None:
    """Run every task; a worker that is lost fails its task and is replaced.

    Args:
        tasks: in the order in which they are to be started.
        workers: from `worker_pool`; replaced in place.
        watcher: told of everything.
        results: name -> result; each job is added as it comes to its end, so that none is lost to a signal.
        fail_fast: start nothing more, and stop what runs, once a job has failed.

    Raises:
        DependencyError: TensorFlow does not work in a worker.
    """
    waiting = list(tasks)
    while True:
        for i, worker in enumerate(workers):
            if worker.failed and waiting:  # what a failed job left in its process is not to be trusted
                stop_worker(worker)
                workers[i] = start_worker()
        for worker in workers:
            if worker.task is None and waiting:
                _give(worker, waiting.pop(0), watcher)
        busy = {worker.connection: worker for worker in workers if worker.task is not None}
        if not busy:
            return
        for connection in wait(list(busy), timeout=POLL_SECONDS):
            worker = busy[connection]  # type: ignore[index]
            task = worker.task
            assert task is not None
            outcome = _receive(worker, watcher)
            if outcome is None:
                continue
            worker.task, worker.failed = None, isinstance(outcome, Failure)
            results[task.job.name] = watcher.finished(task, outcome)
            if fail_fast and results[task.job.name].status == "failed":
                return
        watcher.tick()


def _give(worker: _Worker, task: Task, watcher: Watcher) -> None:
    worker.task = task
    watcher.started(task)
    with suppress(OSError):  # a worker that is gone is noticed when its answer is read
        worker.connection.send(task)


def _receive(worker: _Worker, watcher: Watcher) -> JobResult | Failure | None:
    """Read one message of a busy worker; return the job's outcome if it is one."""
    assert worker.task is not None
    try:
        message = worker.connection.recv()
    except (EOFError, OSError):
        return _lost(worker)
    match message:
        case Finished(result):
            return result
        case Failed(failure):
            return failure
        case Advanced(progress):
            watcher.advanced(worker.task.job.name, progress)
        case Broken(text):
            raise DependencyError(text)
    return None


def _lost(worker: _Worker) -> Failure:
    """Say how a worker ended that closed its connection in the middle of a job."""
    assert worker.task is not None
    code = worker.process.wait()
    if code < 0:
        how = f"was killed by {signal.Signals(-code).name}"
        how += " (out of memory?)" if -code == signal.SIGKILL else ""
    else:
        how = f"exited with code {code}"
    return Failure("WorkerLost", f"the worker process {how}; last lines of its log:\n{_tail(worker)}")


def _tail(worker: _Worker) -> str:
    assert worker.task is not None
    worker.output.seek(0)
    text = worker.output.read()
    with suppress(OSError):
        text += worker.task.paths.log.read_bytes()
    return "\n".join(text.decode("utf-8", "replace").splitlines()[-LOG_LINES:])
