"""The order of training examples of different lengths: examples of similar length share a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from job.problems.generated import Stream, generator


class Lengths(Protocol):
    """Rows of which `order_by_length` needs the lengths."""

    def lengths_of(self, chosen: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the lengths of the rows with indices `chosen`, shape (len(chosen),)."""


POOL_BATCHES = 64
"""Number of batches whose examples are sorted by length together: enough for little padding, and few enough
that each epoch has different examples in a batch."""


def chosen_subset(count: int, seed: int, examples: int) -> NDArray[np.int32]:
    """Return the examples that every epoch has, shape (examples,), in an order of the seed.

    Args:
        count: number of all examples.
        seed: the job's seed.
        examples: number of examples per epoch.

    Raises:
        IndexError: there are fewer than `examples`.
    """
    if examples > count:
        raise IndexError(f"{examples} examples were asked for, but there are {count} training pairs")
    order = np.arange(count, dtype=np.int32)  # half the memory of the default type
    generator(seed, Stream.SUBSET).shuffle(order)
    return order[:examples]


def order_by_length(
    sides: Sequence[Lengths], chosen: NDArray[np.int32], *, seed: int, epoch: int, batch_size: int
) -> NDArray[np.int32]:
    """Return the examples of an epoch in batch order, shape (examples,): indices of rows.

    Batches, and the examples of a batch, are in random order.

    Args:
        sides: n rows each, by whose lengths examples are sorted; the last one is the primary key.
        chosen: the examples of the epoch, (examples,): indices of rows.
        seed: the job's seed.
        epoch: 0-based.
        batch_size: number of examples per batch; the last batch may be smaller.
    """
    rng = generator(seed, Stream.EPOCH_ORDER, epoch)
    order = rng.permutation(chosen)
    # The smaller last batch is not sorted: it would always have the longest pairs.
    full = len(chosen) // batch_size * batch_size
    pool = POOL_BATCHES * batch_size
    for first in range(0, full, pool):  # sorted in place: all at once would need five times the memory
        rows = order[first : min(first + pool, full)]
        rows[:] = rows[np.lexsort([side.lengths_of(rows) for side in sides])]
    batches = order[:full].reshape(-1, batch_size)
    order[:full] = batches[rng.permutation(len(batches))].ravel()
    return order
