"""What a trainer may ask of a problem."""

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
    """Examples held as arrays.

    Args:
        source: shape (n, source length), int32, padded on the right with 0.
        target: shape (n, target length), int32, padded on the right with 0; closed by the target
            vocabulary's end id where lengths vary.
        references: every right target of each example as text, where `target` does not say all: some source
            has several right targets, or some target has a token that its vocabulary lacks; else empty.
        sources: the text of each source, where `source` does not say all: some source has a token that its
            vocabulary lacks; else empty.
    """

    source: Ids
    target: Ids
    references: tuple[tuple[str, ...], ...] = ()
    sources: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class Windows:
    """Windows of a series held as arrays: n of them, S rows and F columns of a source, T values of a target.

    Args:
        source: (n, S - differencing, F) float32, as the encoder reads it.
        target: (n, T, 1) float32, as the decoder is to predict it; NaN where the series has ended.
        history: (n, S, F) float64, the source in the data's own unit.
        future: (n, T) float64, the target in the data's own unit; NaN where the series has ended.
    """

    source: Floats
    target: Floats
    history: Values
    future: Values

    def __len__(self) -> int:
        return len(self.source)


def batch_rows(index: int, batch_size: int, examples: int) -> tuple[int, int]:
    """Return which examples of an epoch, first and one past last, are batch `index` (0-based).

    Raises:
        IndexError: the epoch has no such batch.
    """
    start = index * batch_size
    if not 0 <= start < examples:
        raise IndexError(f"batch {index} of {batch_size}: an epoch has {examples} examples")
    return start, min(start + batch_size, examples)


class _Problem(Protocol):
    """What problems of both kinds promise. All that one gives is decided by its spec, its data and the seed.

    Attributes:
        fixed_length: every source has one length and every target has one length; no end id, no mask.
        max_target_length: longest target, the end id included; decoding stops there.
        fresh_each_epoch: every epoch draws new examples; else every epoch has the same ones in another order.
    """

    fixed_length: bool
    max_target_length: int
    fresh_each_epoch: bool

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return how many examples an epoch has when the spec asks for `asked`."""

    def describe(self) -> dict[str, Any]:
        """Return facts for the report: sizes, pairs left out, checksums; JSON values only."""


class TokenProblem(_Problem, Protocol):
    """A source of sequences of tokens.

    Attributes:
        source_vocabulary, target_vocabulary: the tokens of each side.
        source_space: how many different sources there are; None when not known.
    """

    target_kind: Literal["tokens"]
    source_vocabulary: Vocabulary
    target_vocabulary: Vocabulary
    source_space: int | None

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Ids, Ids]:
        """Return batch `index` (0-based) of `epoch` (0-based): source and target, as in `Examples`.

        A pure function of its arguments, so that a run can go on from any step: the stream has no state.
        The last batch of an epoch is smaller where `examples` is not a multiple of `batch_size`.
        """

    def examples(self, split: Split, count: int) -> Examples:
        """Return at most `count` examples that training does not draw on."""


class NumberProblem(_Problem, Protocol):
    """A source of windows of numbers; lengths are fixed.

    Attributes:
        series: how numbers enter the model and come back.
    """

    target_kind: Literal["numbers"]
    series: Series

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Floats, Floats]:
        """Return batch `index` of `epoch`, as `TokenProblem.batch`: source and target, as in `Windows`."""

    def examples(self, split: Split, count: int) -> Windows:
        """Return at most `count` windows that training does not draw on; there may be none to validate on."""


Problem = TokenProblem | NumberProblem
"""What a trainer may be given; `target_kind` tells which."""


def widths(problem: Problem) -> tuple[int, int]:
    """Return what one position of a source and of a target is: of how many classes, or how many numbers."""
    if problem.target_kind == "numbers":
        return len(problem.series.columns), 1
    return len(problem.source_vocabulary), len(problem.target_vocabulary)
