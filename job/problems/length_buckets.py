"""Buckets of examples of similar length, and batches of at most a number of tokens made from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Ids
from job.problems.generated import Stream, generator
from job.problems.ragged_rows import RaggedRows

MIN_STEPS = 2
"""Number of full steps from which a bucket is not joined with the next one."""

_MOST_BANDS = np.int16(150)
"""More than the bands up to a length of 100 million."""

_Rows = NDArray[np.integer]


@dataclass(frozen=True)
class Bucket:
    """Examples of similar length, all of which are padded to the same widths.

    Args:
        rows: indices of the examples, in ascending order.
        source_width, target_width: length of the longest source and of the longest target.
        most: number of examples that a step has at most.
    """

    rows: _Rows
    source_width: int
    target_width: int
    most: int

    @property
    def steps(self) -> int:
        """Number of steps of an epoch."""
        return -(-len(self.rows) // self.most)


def length_buckets(
    sources: _Rows, targets: _Rows, rows: _Rows, tokens: int, accumulate: int = 1
) -> list[Bucket]:
    """Divide examples into buckets, which do not depend on an epoch.

    Examples whose lengths are in the same `band` on both sides form a bucket. One with too few examples for
    `MIN_STEPS` steps is joined with the next one.

    Args:
        sources, targets: lengths of the examples' sources and targets, (n,).
        rows: indices of the examples, (n,).
        tokens: number of tokens of a batch at most: examples times the sum of both widths. No example is
            longer.
        accumulate: number of batches of a step.
    """
    source_bands, target_bands = _bands(sources), _bands(targets)
    # in every second band of targets the sources get shorter, so that buckets that are joined are similar
    source_bands = np.where(target_bands % 2, _MOST_BANDS - 1 - source_bands, source_bands)
    cells = target_bands * _MOST_BANDS + source_bands
    order = np.argsort(cells, kind="stable").astype(np.int32)
    starts = np.concatenate([[0], 1 + np.flatnonzero(np.diff(cells[order]))])
    buckets, first = [], 0
    source_width = target_width = 0
    for start, stop in zip(starts, [*starts[1:], len(rows)], strict=True):
        source_width = max(source_width, int(sources[order[start:stop]].max()))
        target_width = max(target_width, int(targets[order[start:stop]].max()))
        most = tokens // (source_width + target_width) * accumulate
        if stop == len(rows) or stop - first >= MIN_STEPS * most:
            buckets.append(Bucket(np.sort(rows[order[first:stop]]), source_width, target_width, most))
            first, source_width, target_width = stop, 0, 0
    return buckets


def _bands(lengths: _Rows) -> NDArray[np.int16]:
    """Return the number of the band of each length: bands are 2 wide, and an eighth of the length from 16."""
    limits = [2]
    while limits[-1] < lengths.max(initial=0):
        limits.append(limits[-1] + max(2, limits[-1] // 8))
    return np.searchsorted(np.array(limits), lengths).astype(np.int16)


class TokenBatches:
    """The batches of a training with at most a number of tokens each; implements `TrainingBatches`.

    The examples of a bucket are divided evenly among its steps, so that it has at most two sizes of batches
    and none is much smaller than the others. Each example occurs once per epoch. Which examples share a
    batch, and the order of batches, depend on the seed and the epoch only.

    Args:
        source, target: the ids of all examples.
        buckets: the examples of an epoch, see `length_buckets`.
        seed: the job's seed.
    """

    def __init__(self, source: RaggedRows, target: RaggedRows, buckets: list[Bucket], seed: int) -> None:
        self._source, self._target, self._buckets, self._seed = source, target, buckets, seed
        self.examples = sum(len(bucket.rows) for bucket in buckets)
        self.steps = sum(bucket.steps for bucket in buckets)
        self._bucket_of = np.repeat(np.arange(len(buckets)), [bucket.steps for bucket in buckets])
        sizes = [len(part) for b in buckets for part in np.array_split(b.rows, b.steps)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)])
        self._epoch: int | None = None
        self._rows: _Rows = np.empty(0, np.int64)
        self._order: _Rows = np.empty(0, np.int64)

    def batch(self, epoch: int, index: int) -> tuple[Ids, Ids]:
        """Return the batch of step `index` (0-based) of `epoch` (0-based), padded to its bucket's widths.

        Raises:
            IndexError: the epoch has no such step.
        """
        if not 0 <= index < self.steps:
            raise IndexError(f"step {index}: an epoch has {self.steps} steps")
        if self._epoch != epoch:
            rng = generator(self._seed, Stream.EPOCH_ORDER, epoch)
            self._rows = np.concatenate([rng.permutation(bucket.rows) for bucket in self._buckets])
            self._order = rng.permutation(self.steps)
            self._epoch = epoch
        step = self._order[index]
        bucket = self._buckets[self._bucket_of[step]]
        rows = self._rows[self._starts[step] : self._starts[step + 1]]
        return (
            self._source.padded(rows, width=bucket.source_width),
            self._target.padded(rows, width=bucket.target_width),
        )
