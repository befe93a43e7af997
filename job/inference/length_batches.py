"""Group sources by length into batches; the shape of a source's batch depends only on its own length.

The rounding of float32 sums depends on the shape of the batch. With a shape that depends only on its length,
a source has bitwise the same results alone and among other sources. A long source also does not enlarge the
batches of shorter ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Ids
from job.problems.ragged_rows import RaggedRows
from job.problems.vocabulary import PAD

ROWS = 1024
"""Sources of a batch, where they are short; a smaller batch is filled up."""

TOKENS = 64 * ROWS
"""Most tokens of a batch, padding included, except where a single source has more."""

HYPOTHESES = 4 * ROWS
"""Most hypotheses of a batch where several are kept for each source, and `TOKENS` for each four of them."""

VALUES = 1 << 27
"""Most float32 numbers (512 MB) of a batch's one-hot vectors, or of its keys and values."""

_WIDTHS = np.array([8, 16, 24, 32, *(w << k for k in range(26) for w in (48, 64))])
"""Lengths that sources are padded to: few, so that batches are full, and not much longer than the sources."""


@dataclass(frozen=True)
class LengthBatch:
    """Sources that are computed together.

    Args:
        chosen: their numbers, in order.
        rows, width: shape of the batch; rows beyond the chosen ones repeat the first of them.
    """

    chosen: NDArray[np.intp]
    rows: int
    width: int

    def of(self, sources: RaggedRows) -> Ids:
        """Return the batch's ids, shape (rows, width)."""
        ids = sources.padded(self.chosen)
        out = np.full((self.rows, self.width), PAD, np.int32)
        out[: len(ids), : ids.shape[1]] = ids
        out[len(ids) :] = out[0]
        return out


def group_by_width(
    lengths: NDArray[np.integer], *, exact: bool = False
) -> list[tuple[int, NDArray[np.intp]]]:
    """Return each width that sources are padded to, shortest first, and the numbers of its sources in order.

    Args:
        lengths: tokens of each source, shape (n,).
        exact: they are padded to no more than their own length: all have one.
    """
    widths = np.maximum(lengths, 1) if exact else _WIDTHS[np.searchsorted(_WIDTHS, lengths)]
    return [(int(width), np.flatnonzero(widths == width)) for width in np.unique(widths)]


def plan_batches(
    lengths: NDArray[np.integer], *, beam: int = 1, depth: int = 1, kept: int = 0, exact: bool = False
) -> list[LengthBatch]:
    """Return the batches of sources, shortest first.

    Args:
        lengths: tokens of each source, shape (n,).
        beam: hypotheses kept for each source.
        depth: float32 numbers of each token of a source: its one-hot vector, or keys and values.
        kept: float32 numbers of each source besides: the keys and values of its longest target.
        exact: see `group_by_width`.
    """
    batches = []
    for width, chosen in group_by_width(lengths, exact=exact):
        rows = _rows(width, beam, width * depth + kept)
        parts = (chosen[first : first + rows] for first in range(0, len(chosen), rows))
        batches += [LengthBatch(part, rows, width) for part in parts]
    return batches


def _rows(width: int, beam: int, values: int) -> int:
    """Return the rows of a batch, a power of 2: halves of it have one shape."""
    tokens = TOKENS if beam <= 4 else TOKENS * 4 // beam
    most = min(ROWS, HYPOTHESES // beam, tokens // width, VALUES // values)
    return 1 << (max(1, most).bit_length() - 1)


def lengths_of(sources: Ids, *, exact: bool = False) -> NDArray[np.int64]:
    """Return the tokens of each of some padded sources, (n, S) -> (n,)."""
    if exact:
        return np.full(len(sources), sources.shape[1], np.int64)
    return np.asarray((sources != PAD).sum(axis=1), np.int64)


def flat_rows(sources: Ids | Sequence[Sequence[int]], *, exact: bool = False) -> RaggedRows:
    """Return sources, padded or not, end to end."""
    if isinstance(sources, np.ndarray):
        lengths = lengths_of(sources, exact=exact)
        ids = sources[np.arange(sources.shape[1]) < lengths[:, None]]
    else:
        lengths = np.array([len(ids) for ids in sources], np.int64)
        ids = np.fromiter(chain.from_iterable(sources), np.int32, count=int(lengths.sum()))
    return RaggedRows(ids, np.concatenate([[0], np.cumsum(lengths)]))
