"""Recording how each job ended: its last files, its `result.json`, and the progress log."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress

from job.batch.final_result import CANCELLED, final_result, unfinished_result
from job.batch.heartbeat_writer import Heartbeats
from job.batch.progress import Log
from job.process.stopping import Request
from job.results.batch_report import SetAside
from job.results.job_result import FINISHED, Failure, JobResult, Progress
from job.results.trained_job import TrainedJob
from job.running.task import Task
from job.storage.artifacts import OutputPaths, write_text
from job.storage.job_replacement import put_in_place
from job.storage.links import open_to_append


class JobRecorder:
    """A watcher of the workers (see `job.workers.watcher`) that records results and reports progress.

    Args:
        log: receives the progress.
        output: the output directory.
        asides: receives what a job that was evaluated again has replaced.
        reasons: by name of such a job, why it takes that place, as a clause.
        evaluated: see `Heartbeats`; what earlier runs have measured.
    """

    def __init__(
        self,
        log: Log,
        output: OutputPaths,
        asides: list[SetAside],
        reasons: dict[str, str],
        evaluated: Mapping[str, float] | None = None,
    ) -> None:
        self.output = output
        self.log, self.asides, self.reasons = log, asides, reasons
        self._heartbeats = Heartbeats(output, dict(evaluated or {}))
        self._running: dict[str, Task] = {}

    def started(self, task: Task) -> None:
        """Report that a worker has taken the job."""
        self._running[task.job.name] = task
        with suppress(OSError):  # a request that came too late for an earlier run
            self.output.job(task.job.name).cancel.unlink(missing_ok=True)
        self._heartbeats.start(task)
        self.log.started(task.job.name, task.job)

    def advanced(self, name: str, progress: Progress) -> None:
        """Report the progress of a job's training."""
        self._heartbeats.advance(name, progress)
        self.log.advanced(name, progress)

    def decoded(self, name: str, share: float) -> None:
        """Report the progress of a job's evaluation."""
        self._heartbeats.decoded(name, share)
        self.log.decoded(name, share)

    def lost(self, task: Task, failure: Failure) -> None:
        """Report that the job's worker was lost and that the job will be retried."""
        with suppress(OSError), open_to_append(task.paths.log) as log:
            log.write(f"attempt {task.attempt}: {failure.summary}\n")
        self._heartbeats.stop(task.job.name)
        self.log.retried(task.job.name, failure)

    def finished(self, task: Task, outcome: TrainedJob | Failure) -> JobResult:
        """Judge a job and write `result.json` after all its other files; remove its checkpoint.

        The directory of a job that was evaluated again is put in its place, also if the evaluation failed.
        """
        result = final_result(task, outcome)
        write_text(task.paths.result, result.to_json())
        if result.finished:
            self._heartbeats.finish(task.job.name)
        else:
            self._heartbeats.stop(task.job.name)
        if task.trained is not None:
            self._replace(task)
        if result.status in FINISHED:
            shutil.rmtree(task.paths.checkpoint, ignore_errors=True)
        del self._running[task.job.name]
        self.log.finished(result)
        return result

    def is_running(self, task: Task) -> bool:
        """Return whether a job was started and has not ended."""
        return task.job.name in self._running

    def interrupted(self, task: Task, request: Request) -> JobResult:
        """Return the result of an unfinished job, and write it if the job was started."""
        started = self.is_running(task)
        how = "" if started else " before it was started"
        failure = Failure("Interrupted", f"stopped by {request.cause}{how}; run the batch again to resume it")
        return self._stopped(task, failure)

    def stopped_by_failure(self, task: Task) -> JobResult:
        """Return the result of a running job that was stopped because another one failed, and write it."""
        why = "stopped because another job failed (--fail-fast); run the batch again to resume it"
        return self._stopped(task, Failure("Interrupted", why))

    def cancelled(self, task: Task) -> JobResult:
        """Return the result of a job that was cancelled alone, and write it."""
        return self._stopped(task, Failure(CANCELLED, "cancelled; run the batch again to resume it"))

    def _stopped(self, task: Task, failure: Failure) -> JobResult:
        """Return the result of a job that was stopped, and write it if the job was started."""
        started = self._running.pop(task.job.name, None) is not None
        result = unfinished_result(task, failure, "interrupted")
        if started and task.trained is None:  # a job that was being evaluated again has its earlier result
            write_text(task.paths.result, result.to_json())
        if started:
            self._heartbeats.stop(task.job.name)
            self.log.finished(result)
        if task.trained is not None:
            shutil.rmtree(task.paths.directory, ignore_errors=True)
        return result

    def dropped(self, task: Task) -> None:
        """Forget a job that another machine has taken over; its files are that machine's."""
        self._running.pop(task.job.name, None)
        self._heartbeats.forget(task.job.name)
        if task.trained is not None:
            shutil.rmtree(task.paths.directory, ignore_errors=True)
        failure = Failure("LeaseLost", "another machine has taken the job over")
        self.log.retried(task.job.name, failure)

    def unfinished(self, tasks: Sequence[Task]) -> list[Task]:
        """Return tasks and those that were started beside them, each once, without those that have ended."""
        return [*{task.job.name: task for task in [*tasks, *self._running.values()]}.values()]

    def _replace(self, task: Task) -> None:
        """Make the directory of a job that was evaluated again the job's; note what was set aside."""
        name = task.job.name
        place = put_in_place(task.paths, self.output, name)
        if place is not None:
            aside = SetAside(name, self.reasons[name], place.relative_to(self.output.root).as_posix())
            self.asides.append(aside)
            self.log.set_aside(aside)

    def tick(self) -> None:
        """Report progress and write heartbeats if it is time to."""
        self._heartbeats.beat()
        self.log.tick()
