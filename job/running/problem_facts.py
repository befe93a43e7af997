"""Facts about a problem for the record of a job: its description, and the parts of mixed training data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from job.errors import ResultError
from job.problems.base import Problem
from job.problems.text_pairs import TextPairs
from job.results.data_facts import MixedPart
from job.running.task import Task


def mixed_parts(task: Task, problem: Problem, epochs: int) -> tuple[MixedPart, ...]:
    """Return the parts of mixed training data with the number of examples drawn from each.

    Args:
        task: the job.
        problem: the source of its examples.
        epochs: number of epochs it was trained for.
    """
    if not isinstance(problem, TextPairs) or not problem.mixture:
        return ()
    mixture, examples = problem.mixture, problem.examples_per_epoch(task.job.training.examples)
    drawn = np.zeros(len(mixture.counts), np.int64)
    for epoch in range(epochs):
        drawn += mixture.drawn(epoch, examples)
    return tuple(
        MixedPart(files=part.names, weight=part.weight, pairs=pairs, drawn=int(count))
        for part, pairs, count in zip(problem.spec.mixture, mixture.counts, drawn, strict=True)
    )


def describe_problem(problem: Problem) -> dict[str, Any]:
    """Return what `describe()` of a problem returns, as plain JSON values.

    Raises:
        ResultError: it is not a mapping of JSON values.
    """
    try:
        described = json.loads(json.dumps(problem.describe()))
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the problem's describe() must return JSON values: {error}") from error
    if not isinstance(described, dict):
        raise ResultError(f"the problem's describe() must return a dict, found {type(described).__name__}")
    return described
