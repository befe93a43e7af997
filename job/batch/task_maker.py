"""From a prepared job to the task of a worker."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from job.batch.batch_options import BatchOptions
from job.batch.reuse import PreparedJob
from job.process.git import git_commit, git_dirty
from job.running.task import Task
from job.workers.limits import thread_count


def task_maker(
    directory: Path, options: BatchOptions, jobs: int, cache: Path
) -> Callable[[PreparedJob], Task]:
    """Return a function that makes the task of a prepared job.

    Args:
        directory: the spec directory.
        options: of the batch.
        jobs: number of jobs to compute: no more run at once.
        cache: the directory of the cache of tokenized data.
    """
    commit, dirty = git_commit(directory), git_dirty(directory)
    threads = thread_count(options.cores, min(options.workers, jobs))

    def make(prepared: PreparedJob) -> Task:
        planned = prepared.planned
        return Task(
            job=planned.job,
            fingerprint=planned.fingerprints.evaluation,
            directory=directory,
            paths=prepared.paths,
            commit=commit,
            dirty=dirty,
            tensorboard=options.tensorboard,
            live_history=options.live_history,
            threads=threads,
            problem_fingerprint=planned.problem_fingerprint,
            data=planned.data,
            training_fingerprint=planned.fingerprints.training,
            trained=prepared.model,
            model_of=planned.model_of if prepared.model is not None else None,
            after=planned.decision.after,
            start=planned.start,
            cache=cache,
        )

    return make
