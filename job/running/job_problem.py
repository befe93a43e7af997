"""The problem of a job as it was planned, for training and for another evaluation of the trained model."""

from __future__ import annotations

from job.problems import build_problem
from job.problems.base import Problem
from job.problems.vocabulary import EarlierTokens
from job.running.task import Task


def build_job_problem(task: Task, earlier: EarlierTokens | None) -> Problem:
    """Build the problem of a job; raises as `build_problem` does.

    Args:
        task: the job.
        earlier: tokens that the vocabularies of text pairs keep, see `build_problem`.
    """
    return build_problem(
        task.job.problem,
        task.job.seed,
        task.directory,
        task.data,
        task.cache,
        copies=task.job.model.pointer,
        earlier=earlier,
    )
