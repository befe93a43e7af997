"""Run tasks in worker processes: a free worker takes the next task; results come back by name.

One worker is the same code as many. The parent never imports TensorFlow.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Protocol

from job.errors import DependencyError
from job.process.stopping import Stop
from job.results.job_result import QUOTED, Failure, JobResult, Progress
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.workers.limits import MAX_RESIDENT_BYTES
from job.workers.messages import Advanced, Broken, Failed, Finished, Interrupted, Ready
from job.workers.pool import Worker, start_worker, stop_worker

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

    def finished(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        """Record a trained or failed job; return its result."""

    def tick(self) -> None:
        """Called at least every `POLL_SECONDS`."""


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
        worker.progress = None
        worker.log_start = task.paths.log.stat().st_size if task.paths.log.exists() else 0
        _set_deadline(worker)
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
                case Finished(trained, resident_bytes):
                    self.settle(worker, trained, spent=resident_bytes > MAX_RESIDENT_BYTES)
                case Failed(failure):  # what it left in its process is not to be trusted
                    self.settle(worker, failure, spent=True)
                case Ready():
                    worker.ready = True
                    _set_deadline(worker)

    def settle(self, worker: Worker, outcome: TrainedJob | Failure, *, spent: bool) -> None:
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


def _set_deadline(worker: Worker) -> None:
    """Begin to count the time of what a worker is at: loading TensorFlow, or its task."""
    assert worker.task is not None
    allowed = 60 * (worker.task.job.timeout_minutes or math.inf) if worker.ready else START_SECONDS
    worker.deadline = time.monotonic() + allowed


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
            worker.progress = progress
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
    return Failure("WorkerLost", f"the worker process {how}; {_quoted(worker)}")


def _overdue(worker: Worker) -> Failure:
    assert worker.task is not None
    minutes = worker.task.job.timeout_minutes
    return Failure(
        "TimedOut",
        f"it took longer than its timeout_minutes of {minutes:g} and was killed; {_quoted(worker)}",
    )


def _quoted(worker: Worker) -> str:
    """Return the last lines of a worker's log; where it is empty, how far the worker was."""
    assert worker.task is not None
    worker.output.seek(0)
    text = worker.output.read() + _last_bytes(worker.task.paths.log, worker.log_start)
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    if lines:
        return "\n".join([QUOTED, *lines[-LOG_LINES:]])
    return f"its log is empty, and {_stage(worker)}"


def _stage(worker: Worker) -> str:
    if not worker.ready:
        return "it was loading TensorFlow"
    if worker.progress is None:
        return "it had not begun training"
    return f"it had trained {worker.progress.step:,} of {worker.progress.steps:,} steps"


def _last_bytes(path: Path, start: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(start, os.fstat(file.fileno()).st_size - _LOG_BYTES))
            return file.read()
    except OSError:
        return b""
