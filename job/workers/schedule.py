"""Run tasks in worker processes: each free worker takes the next task, and lost workers are replaced.

The parent process, in which this runs, never imports TensorFlow.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from job.errors import LeaseLostError
from job.process.stopping import Stop
from job.results.job_result import Failure, JobResult
from job.results.shared_models import awaits_model
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.workers import deadlines
from job.workers.job_control import JobControl
from job.workers.lost_workers import lost_worker, overdue, parent_failure
from job.workers.messages import Failed, Finished, Joined, Joining, Ready
from job.workers.replies import Lost, receive_replies
from job.workers.watcher import Watcher
from job.workers.worker_handle import Worker, start_worker, stop_worker


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
        tasks: Tasks in the order in which they are started.
        workers: Workers from `worker_pool`; replaced in place.
        watcher: Receiver of everything that happens.
        results: Results by job name; each is added as soon as its job ends, so that none is lost.
        fail_fast: Whether to stop once a job has failed: as on a request to stop.
        stop: Request to stop, which is checked continuously. On a request, workers save their state and
            exit; jobs that are then unfinished have no result.
        control: Source of further tasks after these, and of requests to stop a running one.

    Raises:
        DependencyError: TensorFlow does not work in a worker.
    """
    schedule = _Schedule(deque(tasks), workers, watcher, results, control or JobControl())
    stop = stop or Stop()
    while stop.request is None and not (fail_fast and (schedule.failed or schedule.control.failed)):
        schedule.assign_tasks()
        if not schedule.busy() and not schedule.open:
            return
        schedule.handle_messages()
        schedule.stop_unwanted()
        schedule.kill_overdue()
        watcher.tick()
    schedule.stop_workers()


@dataclass
class _Schedule:
    """The state of `run_tasks`.

    Args:
        waiting: Tasks to start, in order.
        workers: Free and busy workers.
        watcher: Receiver of everything that happens.
        results: Results of the jobs that have ended, by job name.
        control: Source of further tasks.
        failed: Whether a job has failed.
        recording: Names of the jobs whose results are being written.
    """

    waiting: deque[Task]
    workers: list[Worker]
    watcher: Watcher
    results: dict[str, JobResult]
    control: JobControl
    failed: bool = False
    recording: set[str] = field(default_factory=set)

    @property
    def open(self) -> bool:
        """Whether there are tasks to start, or may be later."""
        return bool(self.waiting) or self.control.open

    def busy(self) -> list[Worker]:
        """Return the workers with a task."""
        return [worker for worker in self.workers if worker.task is not None]

    def assign_tasks(self) -> None:
        """Replace spent workers, and give every free worker a task, while tasks are waiting."""
        for i, worker in enumerate(self.workers):
            if worker.spent and self.open:
                stop_worker(worker)
                self.workers[i] = start_worker(worker.variables)
        for worker in [*self.workers]:
            if worker.task is None and (task := self.assign_next(worker)) and not task.is_member:
                self.watcher.started(task)

    def assign_next(self, worker: Worker) -> Task | None:
        """Send a free worker the next task; return it, or None if there is none or the worker is spent."""
        if worker.spent:
            return None
        task = self.next_task()
        if task is not None:
            if task.variables:
                worker = self.restart(worker, task)
            worker.begin(task)
            deadlines.set_task_deadline(worker)
        return task

    def restart(self, worker: Worker, task: Task) -> Worker:
        """Replace a worker by one with the environment variables of a task; it is for this task only."""
        stop_worker(worker)
        started = start_worker({**worker.variables, **task.variables})
        started.variables = worker.variables
        self.workers[self.workers.index(worker)] = started
        return started

    def next_task(self) -> Task | None:
        """Take the next task that waits for no other; fail those whose earlier model was not trained."""
        while (task := self.take_ready()) is not None:
            failure = parent_failure(task, self.results)
            if failure is None:
                return task
            self.watcher.started(task)
            self.results[task.job.name] = self.watcher.finished(task, failure)
            self.failed = True
        return None

    def take_ready(self) -> Task | None:
        """Remove and return the first task that waits for no unfinished job; None if there is none.

        A task that has waited for the model of another job is prepared only now.
        """
        pending = {task.job.name for task in self.waiting} | self.recording
        pending |= {worker.task.job.name for worker in self.workers if worker.task is not None}
        for i, waiting in enumerate(self.waiting):
            ready = waiting.after and not awaits_model(waiting.after, self.results, pending)
            task = self.waiting[i] = self.control.prepare(waiting) if ready else waiting
            if not task.after and task.waits_for not in pending:
                del self.waiting[i]
                return task
        return self.control.take()

    def handle_messages(self) -> None:
        """Handle messages of busy workers, waiting at most `replies.POLL_SECONDS`."""
        for worker, reply in receive_replies(self.busy(), self.watcher):
            match reply:
                case Joined():
                    self.end_member(worker, None)
                case Lost(failure) | Failed(failure) if worker.task is not None and worker.task.is_member:
                    self.end_member(worker, failure)
                case Lost(failure) if worker.task is not None:
                    self.retry(worker, self.control.worker_lost(worker.task, failure))
                case Finished(trained):
                    self.finish(worker, trained, spent=reply.exceeds_memory)
                case Failed(failure):  # the state of its process cannot be trusted
                    self.fail(worker, failure)
                case Joining() | Ready():
                    worker.joining, worker.ready = isinstance(reply, Joining), isinstance(reply, Ready)
                    if not worker.cancelling:
                        deadlines.set_task_deadline(worker)

    def finish(self, worker: Worker, outcome: TrainedJob | Failure, *, spent: bool) -> None:
        """Record how a job ended, while its worker begins the next task."""
        task, worker.task = worker.task, None
        assert task is not None
        worker.spent = spent or bool(task.variables)
        lost = isinstance(outcome, Failure) and outcome.type == LeaseLostError.__name__
        if lost or task.is_lost or self.control.intent(task) == "drop":  # whatever its outcome
            return self.drop(worker, task)
        self.recording.add(task.job.name)
        following = self.assign_next(worker)
        result = self.results[task.job.name] = self.watcher.finished(task, outcome)
        self.recording.discard(task.job.name)
        self.failed = self.failed or result.status == "failed"
        if following and not following.is_member:
            self.watcher.started(following)

    def fail(self, worker: Worker, failure: Failure) -> None:
        """Fail a task that raised an exception; if another process of its cluster is the reason, retry it."""
        assert worker.task is not None
        by_peer = self.control.peer_failure(worker.task, failure) if worker.task.cluster else None
        if by_peer is not None:
            stop_worker(worker, kill=True)
            return self.retry(worker, by_peer)
        return self.finish(worker, failure, spent=True)

    def end_member(self, worker: Worker, failure: Failure | None) -> None:
        """Note that this process's part in a task of the cluster has ended."""
        task, worker.task, worker.spent = worker.task, None, True
        assert task is not None
        self.control.member_ended(task, failure)

    def retry(self, worker: Worker, failure: Failure) -> None:
        """Retry the task of a lost worker, or fail it if it has no retries left.

        A task that another machine has taken over is dropped, and one that was to stop is cancelled.
        """
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
        for worker in self.busy():
            assert worker.task is not None
            match self.control.intent(worker.task):
                case "drop":
                    self.drop(worker, worker.task)
                case "lost":
                    worker.process.kill()
                    worker.process.wait()
                    self.finish(worker, self.control.lost(worker.task), spent=True)
                case "hung" if not worker.trained:  # after that it needs no other process
                    worker.process.kill()
                    worker.process.wait()
                    self.retry(worker, self.control.hung(worker.task))
                case "cancel" if not worker.cancelling:
                    worker.cancelling = True
                    deadlines.set_stop_deadline(worker)
                    worker.process.terminate()

    def kill_overdue(self) -> None:
        """Kill workers that have exceeded their deadline."""
        for worker in self.busy():
            if not deadlines.is_overdue(worker):
                continue
            worker.process.kill()
            worker.process.wait()
            assert worker.task is not None
            if worker.task.is_member:
                self.end_member(worker, overdue(worker))
            elif worker.cancelling:
                self.retry(worker, lost_worker(worker, "did not stop and was killed"))
            elif worker.ready:
                self.finish(worker, overdue(worker), spent=True)
            else:
                failure = self.control.worker_lost(worker.task, overdue(worker), joining=worker.joining)
                self.retry(worker, failure)

    def stop_workers(self) -> None:
        """Have busy workers save their state and exit; record the jobs that finish in the meantime."""
        self.waiting.clear()
        for worker in self.workers:
            if worker.task:
                worker.process.terminate()
            else:
                worker.process.kill()
            deadlines.set_stop_deadline(worker)
        while busy := [worker for worker in self.busy() if not deadlines.is_overdue(worker)]:
            for worker, reply in receive_replies(busy, self.watcher):
                match reply:
                    case Lost() | Joined():
                        worker.task, worker.spent = None, True
                    case Failed() if worker.task is not None and worker.task.is_member:
                        worker.task, worker.spent = None, True  # the process that has the job records it
                    case Finished(outcome) | Failed(outcome):
                        self.finish(worker, outcome, spent=True)
            self.watcher.tick()
