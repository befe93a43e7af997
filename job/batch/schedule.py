"""Run tasks in worker processes: a free worker takes the next task; results come back by name.

One worker is the same code as many. The parent never imports TensorFlow.
"""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO, Protocol

from job.batch.messages import Advanced, Broken, Failed, Finished, Interrupted, Ready
from job.batch.resources import MAX_RESIDENT_BYTES, device_variables
from job.batch.worker import VARIABLES
from job.errors import DependencyError
from job.results import Failure, JobResult, Progress
from job.stopping import Stop
from job.task import Task

LOG_LINES = 20
"""How much of a log is quoted when a worker is lost."""

POLL_SECONDS = 0.25
"""How often the parent looks whether it was asked to stop, and whether a job takes too long."""

START_SECONDS = 600.0
"""How long a worker may take to load TensorFlow, from a slow disk, before it is taken to hang."""

STOP_SECONDS = 7.0
"""How long workers may take to save their state and leave, before they are killed: their last checkpoints
stand, and the batch has 10 seconds in all."""

_LOG_BYTES = 1 << 16


class Watcher(Protocol):
    """Whoever is told how a batch goes."""

    def started(self, task: Task) -> None:
        """A worker took the job."""

    def advanced(self, name: str, progress: Progress) -> None:
        """Training went on."""

    def lost(self, task: Task, failure: Failure) -> None:
        """The job's worker vanished; it will be tried again."""

    def finished(self, task: Task, outcome: JobResult | Failure) -> JobResult:
        """The job came to an end; returns what is to be recorded."""

    def tick(self) -> None:
        """Called at least every `POLL_SECONDS`."""


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
    deadline: float = math.inf
    spent: bool = False

    def set_deadline(self) -> None:
        """Begin to count the time of what it is at: loading TensorFlow, or its task."""
        assert self.task is not None
        allowed = 60 * (self.task.job.timeout_minutes or math.inf) if self.ready else START_SECONDS
        self.deadline = time.monotonic() + allowed


def start_worker(variables: Mapping[str, str]) -> Worker:
    """Start a worker process; it loads TensorFlow on its own time and then waits for a task."""
    here, there = socket.socketpair()
    output = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the worker
    process = subprocess.Popen(
        [sys.executable, "-m", "job.batch.worker", str(there.fileno())],
        pass_fds=[there.fileno()],
        env={**os.environ, **VARIABLES, **variables},
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


def run_tasks(
    tasks: Sequence[Task],
    workers: list[Worker],
    watcher: Watcher,
    results: dict[str, JobResult],
    *,
    fail_fast: bool = False,
    stop: Stop | None = None,
) -> None:
    """Run every task. A worker that is lost is replaced, and its task tried again or failed.

    Args:
        tasks: in the order in which they are to be started.
        workers: from `worker_pool`; replaced in place.
        watcher: told of everything.
        results: name -> result; each job is added as it comes to its end, so that none is lost.
        fail_fast: start nothing more, and stop what runs, once a job has failed.
        stop: looked at all the time; once it asks, workers save their state and leave, and jobs that are
            not finished then are left without a result.

    Raises:
        DependencyError: TensorFlow does not work in a worker.
    """
    schedule = _Schedule(deque(tasks), workers, watcher, results)
    stop = stop or Stop()
    while stop.request is None:
        schedule.staff()
        if not schedule.busy():
            return
        schedule.listen()
        schedule.end_overdue()
        if fail_fast and schedule.failed:
            return
        watcher.tick()
    schedule.wind_down()


@dataclass(frozen=True)
class _Vanished:
    """A worker left its job unfinished, through no fault of the job that could be seen."""

    failure: Failure


@dataclass
class _Schedule:
    waiting: deque[Task]
    workers: list[Worker]
    watcher: Watcher
    results: dict[str, JobResult]
    failed: bool = False

    def busy(self) -> dict[Connection, Worker]:
        return {worker.connection: worker for worker in self.workers if worker.task is not None}

    def staff(self) -> None:
        """Replace spent workers, and give every free one a task, while there are any."""
        for i, worker in enumerate(self.workers):
            if worker.spent and self.waiting:
                stop_worker(worker)
                self.workers[i] = start_worker(worker.variables)
        for worker in self.workers:
            if worker.task is None and (task := self.give(worker)):
                self.watcher.started(task)

    def give(self, worker: Worker) -> Task | None:
        """Give a worker the next task, if there is one and it may have it."""
        if worker.spent or not self.waiting:
            return None
        task = worker.task = self.waiting.popleft()
        worker.log_start = task.paths.log.stat().st_size if task.paths.log.exists() else 0
        worker.set_deadline()
        with suppress(OSError):  # a worker that is gone is noticed when its answer is read
            worker.connection.send(task)
        return task

    def listen(self) -> None:
        """Read what busy workers have to say, for `POLL_SECONDS` at most."""
        busy = self.busy()
        for connection in wait(list(busy), timeout=POLL_SECONDS):
            worker = busy[connection]  # type: ignore[index]
            match _receive(worker, self.watcher):
                case _Vanished(failure):
                    self.retry(worker, failure)
                case Finished(result, resident_bytes):
                    self.settle(worker, result, spent=resident_bytes > MAX_RESIDENT_BYTES)
                case Failed(failure):  # what it left in its process is not to be trusted
                    self.settle(worker, failure, spent=True)
                case Ready():
                    worker.ready = True
                    worker.set_deadline()

    def settle(self, worker: Worker, outcome: JobResult | Failure, *, spent: bool) -> None:
        """Record how a job ended; its worker is at the next one meanwhile."""
        task, worker.task, worker.spent = worker.task, None, spent
        assert task is not None
        following = self.give(worker)
        result = self.results[task.job.name] = self.watcher.finished(task, outcome)
        self.failed = self.failed or result.status == "failed"
        if following:
            self.watcher.started(following)

    def retry(self, worker: Worker, failure: Failure) -> None:
        """Try a job again whose worker vanished, or say that it failed."""
        task = worker.task
        assert task is not None
        if task.attempt > task.job.retries:
            return self.settle(worker, failure, spent=True)
        worker.task, worker.spent = None, True
        self.watcher.lost(task, failure)
        self.waiting.appendleft(replace(task, attempt=task.attempt + 1))

    def end_overdue(self) -> None:
        """Kill workers that take too long, whether they still talk or not."""
        for worker in self.busy().values():
            if time.monotonic() < worker.deadline:
                continue
            worker.process.kill()
            worker.process.wait()
            if worker.ready:
                self.settle(worker, _overdue(worker), spent=True)
            else:
                how = f"did not load TensorFlow in {START_SECONDS:g} s and was killed"
                self.retry(worker, _lost(worker, how))

    def wind_down(self) -> None:
        """Have busy workers save their state and leave, and record those jobs that come to their end."""
        self.waiting.clear()
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM if worker.task else signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while (busy := self.busy()) and time.monotonic() < deadline:
            for connection in wait(list(busy), timeout=POLL_SECONDS):
                worker = busy[connection]  # type: ignore[index]
                match _receive(worker, self.watcher):
                    case _Vanished():
                        worker.task, worker.spent = None, True
                    case Finished(outcome) | Failed(outcome):
                        self.settle(worker, outcome, spent=True)


def _receive(worker: Worker, watcher: Watcher) -> Finished | Failed | Ready | _Vanished | None:
    """Read one message of a busy worker; return it unless it only tells how far the job is."""
    assert worker.task is not None
    try:
        message = worker.connection.recv()
    except (EOFError, OSError):
        return _Vanished(_lost(worker, _end(worker.process)))
    match message:
        case Finished() | Failed() | Ready():
            return message
        case Interrupted(cause):  # where the batch did not ask for it, somebody else did
            return _Vanished(_lost(worker, f"was stopped by {cause}"))
        case Advanced(progress):
            watcher.advanced(worker.task.job.name, progress)
        case Broken(text):
            raise DependencyError(text)
    return None


def _end(process: subprocess.Popen[bytes]) -> str:
    """Say how a process ended that closed its connection."""
    code = process.wait()
    if code >= 0:
        return f"exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:  # most real-time signals have no name
        name = f"signal {-code}"
    return f"was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


def _lost(worker: Worker, how: str) -> Failure:
    return Failure("WorkerLost", f"the worker process {how}; last lines of its log:\n{_tail(worker)}")


def _overdue(worker: Worker) -> Failure:
    assert worker.task is not None
    minutes = worker.task.job.timeout_minutes
    return Failure(
        "TimedOut",
        f"it took longer than its timeout_minutes of {minutes:g} and was killed; last lines of its log:\n"
        + _tail(worker),
    )


def _tail(worker: Worker) -> str:
    assert worker.task is not None
    worker.output.seek(0)
    text = worker.output.read() + _last_bytes(worker.task.paths.log, worker.log_start)
    return "\n".join(text.decode("utf-8", "replace").splitlines()[-LOG_LINES:])


def _last_bytes(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(start, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read()
    except OSError:
        return b""
