"""Run tasks in worker processes: each free worker takes the next task, and lost workers are replaced.

The parent process, in which this runs, never imports TensorFlow.
"""

from __future__ import annotations

import math
import signal
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait

from job.errors import DependencyError
from job.process.stopping import Stop
from job.results.job_result import Failure, JobResult
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.workers.job_control import JobControl
from job.workers.limits import MAX_RESIDENT_BYTES
from job.workers.lost_workers import describe_exit, lost_worker, timed_out
from job.workers.messages import Advanced, Broken, Failed, Finished, Interrupted, Ready
from job.workers.pool import Worker, start_worker, stop_worker
from job.workers.watcher import Watcher

POLL_SECONDS = 0.25
"""Interval in which the parent checks for a request to stop and for jobs that take too long."""

START_SECONDS = 600.0
"""Time in which a worker must have loaded TensorFlow, even from a slow disk, before it is killed."""

STOP_SECONDS = 7.0
"""Time in which workers must have saved their state and exited before they are killed. Their last checkpoints
remain, and the whole batch has 10 seconds to stop."""


def run_tasks(
    tasks: Sequence[Task],
    workers: list[Worker],
    watcher: Watcher,
    results: dict[str, JobResult],
    *,
    fail_fast: bool = False,
    stop: Stop | None = None,
    control: JobControl | None = None,
) -> None:
    """Run every task. A lost worker is replaced, and its task is retried or fails.

    Args:
        tasks: in the order in which they are started.
        workers: from `worker_pool`; replaced in place.
        watcher: receives everything that happens.
        results: by job name; each is added as soon as its job ends, so that none is lost.
        fail_fast: once a job has failed, start no more and stop those that run.
        stop: checked all the time; when it asks to stop, workers save their state and exit, and jobs that are
            unfinished then have no result.
        control: asked for more tasks when these have started, and whether a running one must stop.

    Raises:
        DependencyError: TensorFlow does not work in a worker.
    """
    schedule = _Schedule(deque(tasks), workers, watcher, results, control or JobControl())
    stop = stop or Stop()
    while stop.request is None:
        schedule.assign_tasks()
        if not schedule.busy() and not schedule.open:
            return
        schedule.handle_messages()
        schedule.stop_unwanted()
        schedule.kill_overdue()
        if fail_fast and (schedule.failed or schedule.control.failed):
            return
        watcher.tick()
    schedule.stop_workers()


@dataclass(frozen=True)
class _Lost:
    """A worker has ended without finishing its task, not because the job raised an exception."""

    failure: Failure


@dataclass
class _Schedule:
    """The state of `run_tasks`.

    Args:
        waiting: tasks to start, in order.
        workers: free and busy workers.
        watcher: receives everything that happens.
        results: by job name, of the jobs that have ended.
        control: the source of further tasks.
        failed: whether a job has failed.
    """

    waiting: deque[Task]
    workers: list[Worker]
    watcher: Watcher
    results: dict[str, JobResult]
    control: JobControl
    failed: bool = False

    @property
    def open(self) -> bool:
        """Whether there are tasks to start, or may be later."""
        return bool(self.waiting) or self.control.open

    def busy(self) -> dict[Connection, Worker]:
        """Return the workers with a task, by connection."""
        return {worker.connection: worker for worker in self.workers if worker.task is not None}

    def assign_tasks(self) -> None:
        """Replace spent workers, and give every free worker a task, while tasks are waiting."""
        for i, worker in enumerate(self.workers):
            if worker.spent and self.open:
                stop_worker(worker)
                self.workers[i] = start_worker(worker.variables)
        for worker in self.workers:
            if worker.task is None and (task := self.assign_next(worker)):
                self.watcher.started(task)

    def assign_next(self, worker: Worker) -> Task | None:
        """Send a free worker the next task; return it, or None if there is none or the worker is spent."""
        if worker.spent:
            return None
        task = worker.task = self.waiting.popleft() if self.waiting else self.control.take()
        if task is None:
            return None
        worker.progress, worker.cancelling = None, False
        worker.log_start = task.paths.log.stat().st_size if task.paths.log.exists() else 0
        _set_deadline(worker)
        with suppress(OSError):  # that a worker is gone is noticed when its answer is read
            worker.connection.send(task)
        return task

    def handle_messages(self) -> None:
        """Handle messages of busy workers, waiting at most `POLL_SECONDS`."""
        busy = self.busy()
        for connection in wait(list(busy), timeout=POLL_SECONDS):
            worker = busy[connection]  # type: ignore[index]
            match _receive(worker, self.watcher):
                case _Lost(failure):
                    self.retry(worker, failure)
                case Finished(trained, resident_bytes):
                    self.finish(worker, trained, spent=resident_bytes > MAX_RESIDENT_BYTES)
                case Failed(failure):  # the state of its process cannot be trusted
                    self.finish(worker, failure, spent=True)
                case Ready():
                    worker.ready = True
                    if not worker.cancelling:
                        _set_deadline(worker)

    def finish(self, worker: Worker, outcome: TrainedJob | Failure, *, spent: bool) -> None:
        """Record how a job ended, while its worker begins the next task."""
        task, worker.task, worker.spent = worker.task, None, spent
        assert task is not None
        if self.control.intent(task) == "drop":  # whatever it came to
            return self.drop(worker, task)
        following = self.assign_next(worker)
        result = self.results[task.job.name] = self.watcher.finished(task, outcome)
        self.failed = self.failed or result.status == "failed"
        if following:
            self.watcher.started(following)

    def retry(self, worker: Worker, failure: Failure) -> None:
        """Retry the task of a lost worker, or fail it if it has no retries left; unless it was to stop."""
        task = worker.task
        assert task is not None
        if self.control.intent(task) == "drop":
            return self.drop(worker, task)
        if worker.cancelling:
            worker.task, worker.spent = None, True
            self.results[task.job.name] = self.control.cancelled(task)
            return None
        if task.attempt > task.job.retries:
            return self.finish(worker, failure, spent=True)
        worker.task, worker.spent = None, True
        self.watcher.lost(task, failure)
        self.waiting.appendleft(replace(task, attempt=task.attempt + 1))

    def drop(self, worker: Worker, task: Task) -> None:
        """Forget a task that another machine has taken over, and end its worker."""
        worker.process.kill()
        worker.task, worker.spent = None, True
        self.control.dropped(task)

    def stop_unwanted(self) -> None:
        """Stop the workers of tasks that are cancelled, or that another machine has taken over."""
        for worker in self.busy().values():
            assert worker.task is not None
            match self.control.intent(worker.task):
                case "drop":
                    self.drop(worker, worker.task)
                case "cancel" if not worker.cancelling:
                    worker.cancelling = True
                    worker.deadline = time.monotonic() + STOP_SECONDS
                    worker.process.send_signal(signal.SIGTERM)

    def kill_overdue(self) -> None:
        """Kill workers that have exceeded their deadline."""
        for worker in self.busy().values():
            if time.monotonic() < worker.deadline:
                continue
            worker.process.kill()
            worker.process.wait()
            if worker.cancelling:
                self.retry(worker, lost_worker(worker, "did not stop and was killed"))
            elif worker.ready:
                self.finish(worker, timed_out(worker), spent=True)
            else:
                how = f"did not load TensorFlow in {START_SECONDS:g} s and was killed"
                self.retry(worker, lost_worker(worker, how))

    def stop_workers(self) -> None:
        """Have busy workers save their state and exit; record the jobs that finish in the meantime."""
        self.waiting.clear()
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM if worker.task else signal.SIGKILL)
        deadline = time.monotonic() + STOP_SECONDS
        while (busy := self.busy()) and time.monotonic() < deadline:
            for connection in wait(list(busy), timeout=POLL_SECONDS):
                worker = busy[connection]  # type: ignore[index]
                match _receive(worker, self.watcher):
                    case _Lost():
                        worker.task, worker.spent = None, True
                    case Finished(outcome) | Failed(outcome):
                        self.finish(worker, outcome, spent=True)
            self.watcher.tick()


def _set_deadline(worker: Worker) -> None:
    """Set the deadline of what a worker does now: loading TensorFlow, or its task."""
    assert worker.task is not None
    allowed = 60 * (worker.task.job.timeout_minutes or math.inf) if worker.ready else START_SECONDS
    worker.deadline = time.monotonic() + allowed


def _receive(worker: Worker, watcher: Watcher) -> Finished | Failed | Ready | _Lost | None:
    """Receive a message of a busy worker; return it unless it is about progress, which goes to the watcher.

    Raises:
        DependencyError: TensorFlow does not work in the worker.
    """
    assert worker.task is not None
    try:
        message = worker.connection.recv()
    except (EOFError, OSError):
        return _Lost(lost_worker(worker, describe_exit(worker.process)))
    match message:
        case Finished() | Failed() | Ready():
            return message
        case Interrupted(cause):  # by a signal from elsewhere, if the batch has sent none
            return _Lost(lost_worker(worker, f"was stopped by {cause}"))
        case Advanced(progress):
            worker.progress = progress
            watcher.advanced(worker.task.job.name, progress)
        case Broken(text):
            raise DependencyError(text)
    return None
