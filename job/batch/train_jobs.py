"""Train the jobs of a batch in worker processes, until all are done or the batch is asked to stop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.cancelling import CancelControl
from job.batch.job_recorder import JobRecorder
from job.batch.reuse import PreparedJob
from job.batch.task_maker import task_maker
from job.batch.waiting_jobs import WaitingJobs
from job.process.stopping import Request
from job.reports.renderers import load_renderers
from job.results.job_result import JobResult
from job.running.task import Task
from job.workers.pool import worker_pool
from job.workers.schedule import run_tasks


def train_jobs(
    todo: Sequence[PreparedJob],
    directory: Path,
    recorder: JobRecorder,
    results: dict[str, JobResult],
    options: BatchOptions,
) -> Request | None:
    """Train jobs or evaluate their models again, and judge them; without jobs nothing is loaded.

    Args:
        todo: the jobs, in the order in which they are started.
        directory: the spec directory.
        recorder: records how each job ends, and reports the progress.
        results: by job name; each job's is added as soon as it is recorded.
        options: of the batch.

    Returns:
        the request to stop if it left jobs unfinished, which then have results of status `interrupted`.
    """
    if not todo:
        return None
    waiting = [prepared for prepared in todo if prepared.planned.decision.after]
    trained = len(todo) - len(waiting)
    tasks = [*map(task_maker(directory, options, trained, recorder.output.cache), todo)]
    at_once = max(trained, len(waiting))
    make_task = task_maker(directory, options, at_once, recorder.output.cache)
    control = WaitingJobs(waiting, recorder, results, make_task)
    return work_through(tasks, at_once, recorder, results, options, control)


def work_through(
    tasks: Sequence[Task],
    jobs: int,
    recorder: JobRecorder,
    results: dict[str, JobResult],
    options: BatchOptions,
    control: CancelControl,
) -> Request | None:
    """Run tasks, and those that `control` adds, in worker processes.

    Args:
        tasks: the first tasks.
        jobs: number of tasks to expect: no more workers are started.
        recorder: records how each job ends, and reports the progress.
        results: by job name; each job's is added as soon as it is recorded.
        options: of the batch.
        control: the source of further tasks.

    Returns:
        the request to stop if it left jobs unfinished, see `train_jobs`.
    """
    stop, count = options.stop, min(options.workers, jobs)
    pool = worker_pool(count, options.gpus, options.first_worker)
    with _removing_copies(recorder, tasks), stop.deferring_signals(), pool as workers:
        load_renderers()  # while the workers load TensorFlow
        run_tasks(tasks, workers, recorder, results, fail_fast=options.fail_fast, stop=stop, control=control)
    request = stop.request
    unfinished = [task for task in recorder.unfinished(tasks) if task.job.name not in results]
    for task in [task for task in unfinished if task.is_lost and recorder.is_running(task)]:
        control.dropped(task)  # its files are another machine's
        unfinished.remove(task)
    if request is None or not (unfinished or control.open):
        for task in unfinished:  # of a batch with `fail_fast`; those not started have no result
            if recorder.is_running(task):
                results[task.job.name] = recorder.stopped_by_failure(task)
        return None
    for task in unfinished:
        results[task.job.name] = recorder.interrupted(task, request)
    return request


@contextmanager
def _removing_copies(recorder: JobRecorder, tasks: Sequence[Task]) -> Iterator[None]:
    """After the block, remove the directories of unfinished evaluations."""
    try:
        yield
    finally:
        for task in recorder.unfinished(tasks):
            if task.trained is not None:
                shutil.rmtree(task.paths.directory, ignore_errors=True)
