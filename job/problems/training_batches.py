"""The batches of a training: those of `training.batch_size`, or of `training.tokens_per_batch`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from job.errors import DataError
from job.problems.base import Problem
from job.problems.joined_pairs import JoinedBatches
from job.problems.text_pairs import TextPairs
from job.spec.training_section import TrainingSpec

Batch = tuple[NDArray[Any], NDArray[Any]]
"""A source and a target: ids (B, length) int32, or numbers (B, length, columns) float32."""


class TrainingBatches(Protocol):
    """The batches of each epoch; they depend on the problem, the spec and the seed only.

    Attributes:
        examples: number of examples of an epoch.
        steps: number of steps of an epoch; a step has one batch, of which `training.accumulate` parts may be
            computed one after the other.
    """

    @property
    def examples(self) -> int: ...  # noqa: D102
    @property
    def steps(self) -> int: ...  # noqa: D102

    def batch(self, epoch: int, index: int) -> Batch:
        """Return the batch of step `index` (0-based) of `epoch` (0-based)."""


@dataclass(frozen=True)
class EqualBatches:
    """Batches of equally many examples; the last one of an epoch may be smaller.

    Args:
        problem: the source of the batches.
        size: number of examples of a step.
        examples: number of examples of an epoch.
    """

    problem: Problem
    size: int
    examples: int

    @property
    def steps(self) -> int:
        """Number of steps of an epoch."""
        return math.ceil(self.examples / self.size)

    def batch(self, epoch: int, index: int) -> Batch:
        """Return the batch of step `index` of `epoch`, see `Problem.batch`."""
        return self.problem.batch(epoch, index, self.size, self.examples)


def training_batches(problem: Problem, spec: TrainingSpec) -> TrainingBatches:
    """Return the batches of a training.

    Raises:
        DataError: an example is longer than `training.tokens_per_batch`, with its file and line; or the
            problem has no batches of tokens.
    """
    examples = problem.examples_per_epoch(spec.examples)
    if spec.joined_pairs:
        if not isinstance(problem, TextPairs):
            raise DataError("joined_pairs is for problem text_pairs; drop it")
        return JoinedBatches(problem, spec.joined_pairs, spec.step_examples, examples)
    if spec.tokens_per_batch is None:
        return EqualBatches(problem, spec.step_examples, examples)
    if not isinstance(problem, TextPairs):
        raise DataError("tokens_per_batch is for problem text_pairs; set batch_size")
    return problem.token_batches(spec.tokens_per_batch, spec.accumulate, examples)
