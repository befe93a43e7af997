"""Problems whose examples are drawn, not read: streams without end and without state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Literal

import numpy as np

from job.errors import DataError
from job.problems.base import Examples, Ids, Split, batch_rows


class Stream(IntEnum):
    """What random numbers are for; two streams of one seed never share a number."""

    TRAINING = 0
    VALIDATION = 1
    TEST = 2
    EPOCH_ORDER = 3
    SUBSET = 4


_SPLIT_STREAMS = {"validation": Stream.VALIDATION, "test": Stream.TEST}


def generator(seed: int, stream: Stream, epoch: int = 0, index: int = 0) -> np.random.Generator:
    """Return a generator at a place of its own in the random numbers of a seed.

    Philox is counter-based (Salmon et al. 2011): the place is written into key and counter, so reaching it
    costs the same wherever it is. Places are 2**128 blocks apart and cannot run into each other.
    """
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, 0, index, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


class GeneratedProblem(ABC):
    """A problem that draws its examples; see `Problem` for what each method promises.

    Args:
        seed: decides every example.
    """

    target_kind: Literal["tokens"] = "tokens"
    fresh_each_epoch: bool = True

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @abstractmethod
    def draw(self, generator: np.random.Generator, count: int) -> tuple[Ids, Ids]:
        """Draw `count` sources and their targets, padded to the problem's full lengths.

        Row by row: the first k rows do not depend on `count`.
        """

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return `asked`.

        Raises:
            DataError: all of an endless stream were asked for.
        """
        if asked == "all":
            raise DataError(
                "training.examples is 'all', but the examples of this problem are generated without end; "
                "give a number"
            )
        return asked

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Ids, Ids]:
        """Return batch `index` of `epoch`; every epoch's examples are new ones."""
        start, stop = batch_rows(index, batch_size, examples)
        return self.draw(generator(self._seed, Stream.TRAINING, epoch, index), stop - start)

    def examples(self, split: Split, count: int) -> Examples:
        """Return `count` examples of the split's own stream; fewer are the first of more."""
        return Examples(*self.draw(generator(self._seed, _SPLIT_STREAMS[split]), count))
