"""Train the jobs of a batch in worker processes, until all are done or the batch is asked to stop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.job_recorder import JobRecorder
from job.batch.reuse import PreparedJob
from job.process.git import git_commit, git_dirty
from job.process.stopping import Request
from job.results.job_result import JobResult
from job.running.task import Task
from job.workers.limits import thread_count
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
    tasks = _tasks(todo, directory, options)
    stop = options.stop
    count = min(options.workers, len(tasks))
    pool = worker_pool(count, options.gpus, options.first_worker)
    with _removing_copies(tasks), stop.deferring_signals(), pool as workers:
        # matplotlib takes a second and Jinja2 a tenth, while the workers load TensorFlow
        import job.reports.html
        import job.reports.plots  # noqa: F401

        run_tasks(tasks, workers, recorder, results, fail_fast=options.fail_fast, stop=stop)
    request = stop.request
    unfinished = [task for task in tasks if task.job.name not in results]
    if request is None or not unfinished:
        return None
    for task in unfinished:
        results[task.job.name] = recorder.interrupted(task, request)
    return request


@contextmanager
def _removing_copies(tasks: Sequence[Task]) -> Iterator[None]:
    """After the block, remove the directories of evaluations that did not come to an end."""
    try:
        yield
    finally:
        for task in tasks:
            if task.trained is not None:
                shutil.rmtree(task.paths.directory, ignore_errors=True)


def _tasks(todo: Sequence[PreparedJob], directory: Path, options: BatchOptions) -> list[Task]:
    commit, dirty = git_commit(directory), git_dirty(directory)
    return [
        Task(
            job=prepared.planned.job,
            fingerprint=prepared.planned.fingerprints.evaluation,
            directory=directory,
            paths=prepared.paths,
            commit=commit,
            dirty=dirty,
            tensorboard=options.tensorboard,
            threads=thread_count(options.cores, min(options.workers, len(todo))),
            problem_fingerprint=prepared.planned.problem_fingerprint,
            data=prepared.planned.data,
            training_fingerprint=prepared.planned.fingerprints.training,
            trained=prepared.model,
        )
        for prepared in todo
    ]
