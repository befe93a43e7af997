"""The interface of a problem: `TokenProblem` and `NumberProblem`, and the arrays that they return."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from job.problems.vocabulary import Vocabulary
from job.problems.windows import Floats, Series, Values

Ids = NDArray[np.int32]
Split = Literal["validation", "test"]


@dataclass(frozen=True)
class Examples:
    """Evaluation examples of a token problem as arrays.

    Args:
        source: shape (n, source length), int32, padded on the right with 0.
        target: shape (n, target length), int32, padded on the right with 0; if lengths vary, each target ends
            with the end id of the target vocabulary.
        references: all reference targets of each example as text. Given if some source has several reference
            targets or some target has a token that is not in the vocabulary; else empty.
        sources: the text of each source. Given if some source has a token that is not in the vocabulary; else
            empty.
    """

    source: Ids
    target: Ids
    references: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Windows:
    """Windows of a time series as arrays: n windows, S rows and F columns of a source, T values of a target.

    Args:
        source: shape (n, S - differencing, F), float32, the scaled inputs of the encoder.
        target: shape (n, T, 1), float32, the scaled targets of the decoder; NaN after the end of the series.
        history: shape (n, S, F), float64, the source in the unit of the data.
        future: shape (n, T), float64, the target in the unit of the data; NaN after the end of the series.
    """

    source: Floats
    target: Floats
    history: Values
    future: Values

    def __len__(self) -> int:
        return len(self.source)


def batch_rows(index: int, batch_size: int, examples: int) -> tuple[int, int]:
    """Return the start and stop of batch `index` (0-based) among the examples of an epoch.

    Raises:
        IndexError: the epoch has no such batch.
    """
    start = index * batch_size
    if not 0 <= start < examples:
        raise IndexError(f"batch {index} of {batch_size}: an epoch has {examples} examples")
    return start, min(start + batch_size, examples)


class _Problem(Protocol):
    """The common part of `TokenProblem` and `NumberProblem`.

    Everything that a problem returns is determined by its spec, its data and the seed.

    Attributes:
        fixed_length: whether all sources have the same length and all targets have the same length, so that
            there is no end id and no mask.
        max_target_length: at least the length of the longest target, including the end id; decoding stops
            there.
        fresh_each_epoch: whether every epoch has new examples; if not, epochs reorder the same examples.
    """

    fixed_length: bool
    max_target_length: int
    fresh_each_epoch: bool

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return the number of examples per epoch if `training.examples` is `asked`."""

    def describe(self) -> dict[str, Any]:
        """Return facts for the report, such as sizes, skipped pairs and checksums, as JSON values."""


class TextSides(Protocol):
    """What scoring needs of a problem of tokens: the vocabularies of sources and targets."""

    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary


class TokenProblem(_Problem, TextSides, Protocol):
    """A problem whose sources and targets are sequences of tokens.

    Attributes:
        source_vocabulary, target_vocabulary: the vocabularies of sources and targets.
        source_space: number of different sources; None if unknown.
    """

    target_kind: Literal["tokens"]
    source_space: int | None

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Ids, Ids]:
        """Return batch `index` (0-based) of `epoch` (0-based): source and target, as in `Examples`.

        The result depends on the arguments only, so that training can resume at any step. The last batch of
        an epoch is smaller if `examples` is not a multiple of `batch_size`.
        """

    def examples(self, split: Split, count: int) -> Examples:
        """Return at most `count` examples of a split that is not used for training."""


class NumberProblem(_Problem, Protocol):
    """A problem whose sources and targets are windows of a time series; lengths are fixed.

    Attributes:
        series: columns and scaling of the time series.
    """

    target_kind: Literal["numbers"]
    series: Series

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Floats, Floats]:
        """Return a batch like `TokenProblem.batch`: source and target, as in `Windows`."""

    def examples(self, split: Split, count: int) -> Windows:
        """Return at most `count` windows of a split; validation may be empty."""


Problem = TokenProblem | NumberProblem
"""Any problem; `target_kind` distinguishes the two types."""


def widths(problem: Problem) -> tuple[int, int]:
    """Return the vocabulary sizes of source and target, or for numbers their numbers of columns."""
    if problem.target_kind == "numbers":
        return len(problem.series.columns), 1
    return len(problem.source_vocabulary), len(problem.target_vocabulary)
