"""Problems of random integers: `reversed_prefix`, `reverse`, `copy` and `sort`."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np

from job.problems.base import Ids
from job.problems.generated import GeneratedProblem
from job.problems.vocabulary import Vocabulary
from job.spec.problem_sections import CopySpec, ReversedPrefixSpec, ReverseSpec, SortSpec


class IntegerProblem(GeneratedProblem):
    """A problem of integers drawn uniformly from 1..cardinality-1; 0 is start. All lengths are fixed.

    Args:
        spec: the problem's section, with `source_length` and `cardinality`.
        seed: determines every example.
        target_length: length of every target; None for the length of the source.
    """

    fixed_length: bool = True

    def __init__(
        self,
        spec: ReversedPrefixSpec | ReverseSpec | CopySpec | SortSpec,
        seed: int,
        *,
        target_length: int | None = None,
    ) -> None:
        super().__init__(seed)
        self._source_length = spec.source_length
        self._cardinality = spec.cardinality
        self.source_vocabulary = self.target_vocabulary = Vocabulary.integers(spec.cardinality)
        self.max_target_length = spec.source_length if target_length is None else target_length
        self.source_space: int | None = (spec.cardinality - 1) ** spec.source_length

    @abstractmethod
    def target(self, source: Ids) -> Ids:
        """Return the targets of sources: shape (n, source length) to (n, target length), int32."""

    def draw(self, generator: np.random.Generator, count: int) -> tuple[Ids, Ids]:
        """Draw `count` sources and their targets, without padding."""
        source = generator.integers(1, self._cardinality, (count, self._source_length), np.int32)
        return source, self.target(source)

    def describe(self) -> dict[str, Any]:
        """Return the lengths and the cardinality."""
        return {
            "source_length": self._source_length,
            "target_length": self.max_target_length,
            "cardinality": self._cardinality,
        }


class ReversedPrefix(IntegerProblem):
    """The problem of the tutorial: the first `target_length` elements of the source, reversed."""

    def __init__(self, spec: ReversedPrefixSpec, seed: int) -> None:
        super().__init__(spec, seed, target_length=spec.target_length)

    def target(self, source: Ids) -> Ids:
        """Return the first elements of each row in reverse order."""
        return np.ascontiguousarray(source[:, self.max_target_length - 1 :: -1])


class Reverse(IntegerProblem):
    """The problem of reversing the whole source."""

    def target(self, source: Ids) -> Ids:
        """Return each row in reverse order."""
        return np.ascontiguousarray(source[:, ::-1])


class Copy(IntegerProblem):
    """The problem of copying the source."""

    def target(self, source: Ids) -> Ids:
        """Return a copy of the rows."""
        return source.copy()


class Sort(IntegerProblem):
    """The problem of sorting the source in ascending order."""

    def target(self, source: Ids) -> Ids:
        """Return each row sorted."""
        return np.sort(source, axis=1)
