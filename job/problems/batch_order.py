"""The order of training examples of different lengths: examples of similar length share a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from job.problems.generated import Stream, generator

POOL_BATCHES = 64
"""Number of batches whose examples are sorted by length together: enough for little padding, and few enough
that each epoch has different examples in a batch."""


def chosen_subset(count: int, seed: int, examples: int) -> NDArray[np.intp]:
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
    return generator(seed, Stream.SUBSET).permutation(count)[:examples]


def order_by_length(
    lengths: Sequence[NDArray[np.int64]], *, seed: int, epoch: int, batch_size: int, examples: int
) -> NDArray[np.intp]:
    """Return the examples of an epoch in batch order, shape (examples,): indices of `lengths`.

    Batches, and the examples of a batch, are in random order. If `examples` is less than n, every epoch has
    the same subset.

    Args:
        lengths: arrays of shape (n,), by which examples are sorted; the last array is the primary key.
        seed: the job's seed.
        epoch: 0-based.
        batch_size: number of examples per batch; the last batch may be smaller.
        examples: number of examples per epoch.

    Raises:
        IndexError: there are fewer than `examples`.
    """
    subset = chosen_subset(len(lengths[0]), seed, examples)
    rng = generator(seed, Stream.EPOCH_ORDER, epoch)
    shuffled = rng.permutation(subset)
    # The smaller last batch is not sorted: it would always have the longest pairs.
    full = examples // batch_size * batch_size
    sortable = shuffled[:full]
    pool = np.arange(full) // (POOL_BATCHES * batch_size)
    batches = sortable[np.lexsort((*(array[sortable] for array in lengths), pool))].reshape(-1, batch_size)
    return np.concatenate([rng.permutation(batches).ravel(), shuffled[full:]])
