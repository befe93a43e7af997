"""The base class of problems with random examples, and the random number streams of all problems."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import IntEnum
from typing import Literal

import numpy as np

from job.errors import DataError
from job.problems.base import Examples, Ids, Split, batch_rows


class Stream(IntEnum):
    """The purpose of random numbers; streams of the same seed are independent of each other."""

    TRAINING = 0
    VALIDATION = 1
    TEST = 2
    EPOCH_ORDER = 3
    SUBSET = 4
    MIXTURE = 5
    JOINED_PAIRS = 6


_SPLIT_STREAMS = {"validation": Stream.VALIDATION, "test": Stream.TEST}


def generator(seed: int, stream: Stream, epoch: int = 0, index: int = 0) -> np.random.Generator:
    """Return a random generator that is independent for each combination of the arguments.

    Philox is a counter-based generator (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"):
    the arguments set its key and counter, so that any position is reached in constant time. Positions are
    2**128 blocks apart, so their numbers do not overlap.

    Args:
        seed: the job's seed.
        stream: the purpose of the numbers.
        epoch, index: 0-based epoch and batch.
    """
    key = np.array([seed, stream], np.uint64)
    counter = np.array([0, 0, index, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


class GeneratedProblem(ABC):
    """A problem that generates random examples; implements the sampling methods of `TokenProblem`.

    Args:
        seed: determines every example.
    """

    target_kind: Literal["tokens"] = "tokens"
    fresh_each_epoch: bool = True

    def __init__(self, seed: int) -> None:
        self._seed = seed

    @abstractmethod
    def draw(self, generator: np.random.Generator, count: int) -> tuple[Ids, Ids]:
        """Draw `count` sources and their targets, int32, padded to the longest possible lengths.

        The first k rows must not depend on `count`.
        """

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return `asked`.

        Raises:
            DataError: `asked` is `all`, but there is no limit to the number of examples.
        """
        if asked == "all":
            raise DataError(
                "training.examples is 'all', but this problem generates an unlimited number of examples; "
                "set it to a number"
            )
        return asked

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Ids, Ids]:
        """Return batch `index` of `epoch`; every epoch has new examples."""
        start, stop = batch_rows(index, batch_size, examples)
        return self.draw(generator(self._seed, Stream.TRAINING, epoch, index), stop - start)

    def examples(self, split: Split, count: int) -> Examples:
        """Return the first `count` examples of a split, which has a random stream of its own."""
        return Examples(*self.draw(generator(self._seed, _SPLIT_STREAMS[split]), count))
