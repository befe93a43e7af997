"""The problems of other sizes on which a job's model is evaluated too: the spec's `evaluation.also`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from job.problems import build_problem
from job.problems.base import TokenProblem
from job.running.task import Task
from job.spec.other_sizes import resized


def resized_problems(task: Task) -> Iterator[tuple[dict[str, int], TokenProblem]]:
    """Yield the sizes of each entry, and the problem with these sizes and the same vocabularies."""
    job = task.job
    for sizes in job.evaluation.also:
        problem = build_problem(
            resized(job.problem, sizes),
            job.seed,
            task.directory,
            task.data,
            task.cache,
            copies=job.model.pointer,
        )
        yield sizes, cast(TokenProblem, problem)
