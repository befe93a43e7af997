"""Mixed training data: which pairs of which files an epoch has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from job.problems.generated import Stream, generator


@dataclass(frozen=True)
class Mixture:
    """Draws the training pairs of each epoch from several parts, by their weights.

    Each draw chooses a part with a probability of its weight divided by the sum of the weights. Within an
    epoch a part repeats a pair only when all of its pairs have been drawn equally often. An epoch's pairs
    depend on the seed and the epoch only.

    Args:
        counts: number of training pairs of each part; the rows of the parts follow one another.
        weights: of the parts, above 0.
        seed: the job's seed.
    """

    counts: tuple[int, ...]
    weights: tuple[float, ...]
    seed: int

    def drawn(self, epoch: int, examples: int) -> NDArray[np.int64]:
        """Return the number of pairs that an epoch draws from each part, shape (parts,).

        Args:
            epoch: 0-based.
            examples: number of pairs that the epoch draws.
        """
        return self._drawn(generator(self.seed, Stream.MIXTURE, epoch), examples)

    def rows(self, epoch: int, examples: int) -> NDArray[np.int32]:
        """Return the pairs that an epoch draws, shape (examples,): indices of rows, part by part."""
        rng = generator(self.seed, Stream.MIXTURE, epoch)
        found, start = [], 0
        for drawn, count in zip(self._drawn(rng, examples).tolist(), self.counts, strict=True):
            passes, rest = divmod(drawn, count)
            all_of_part = np.arange(start, start + count, dtype=np.int32)
            found += [np.tile(all_of_part, passes), rng.choice(all_of_part, rest, replace=False)]
            start += count
        return np.concatenate(found)

    def _drawn(self, rng: np.random.Generator, examples: int) -> NDArray[np.int64]:
        weights = np.array(self.weights)
        return rng.multinomial(examples, weights / weights.sum())
