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

MAX_ROWS = 1024
"""Maximum number of sources of a batch. Short sources reach it; a batch with fewer is filled up."""

CPU_ROWS = 128
"""The same on a CPU, for sources of many lengths.

There, more rows at once are hardly faster, but more rows wait for the longest target, and more are filled
up, once for each length. Words of 4 to 20 letters, 2,048 in all, took two layers of 256 units with attention
2.4, 2.3 and 2.3 s of one core in batches of 64, 128 and 256, one word alone 69, 123 and 242 ms; a Transformer
of 256 units 3.0, 2.5 and 2.5 s, one word 29, 49 and 104 ms.

Fewer rows for few sources would not do: whether products of other numbers of rows are equal to the bit
depends on their kernels. On an AMD EPYC with TensorFlow 2.21, products of 1 row differed from those of 1,024
in 16 of 80 shapes, of 2 to 64 rows in 2 of them, of 128 and more in none; whole models in a batch of 1 or 8
gave other scores for 2 to 88 % of the sources than in one of 256.
"""

MAX_TOKENS = 64 * MAX_ROWS
"""Maximum number of tokens of a batch, padding included, unless a single source has more."""

MAX_HYPOTHESES = 4 * MAX_ROWS
"""Maximum number of hypotheses of a batch. With more than 4 per source, `MAX_TOKENS` falls in proportion."""

MAX_VALUES = 1 << 27
"""Maximum number of float32 numbers of a batch's one-hot vectors, or of its keys and values: 512 MiB."""

_WIDTHS = np.array([8, 16, 24, 32, *(w << k for k in range(26) for w in (48, 64))])
"""Lengths to which sources are padded: few, so that batches are full, but close, so that padding is short."""


@dataclass(frozen=True)
class LengthBatch:
    """Sources that are computed together.

    Args:
        chosen: Indices of the sources, ascending.
        rows, width: Shape of the batch; rows that are not needed repeat the first one.
    """

    chosen: NDArray[np.intp]
    rows: int
    width: int

    def ids_of(self, sources: RaggedRows) -> Ids:
        """Return the batch's ids, shape (rows, width)."""
        ids = sources.padded(self.chosen)
        out = np.full((self.rows, self.width), PAD, np.int32)
        out[: len(ids), : ids.shape[1]] = ids
        out[len(ids) :] = out[0]
        return out


def group_by_width(
    lengths: NDArray[np.integer], *, exact: bool = False
) -> list[tuple[int, NDArray[np.intp]]]:
    """Return each width to which sources are padded, ascending, and the indices of its sources.

    Args:
        lengths: Number of tokens of each source, (n,).
        exact: Whether all sources have the same length, to which they are then padded.
    """
    widths = np.maximum(lengths, 1) if exact else _WIDTHS[np.searchsorted(_WIDTHS, lengths)]
    return [(int(width), np.flatnonzero(widths == width)) for width in np.unique(widths)]


def plan_batches(
    lengths: NDArray[np.integer],
    *,
    beam: int = 1,
    values_per_token: int = 1,
    values_per_pair: int = 0,
    values_per_source: int = 0,
    exact: bool = False,
    on_gpu: bool = False,
) -> list[LengthBatch]:
    """Return the batches of sources, shortest sources first.

    Args:
        lengths: Number of tokens of each source, (n,).
        beam: Number of hypotheses for each source.
        values_per_token: Number of float32 numbers for each source token: its one-hot vector, or its keys and
            values.
        values_per_pair: Number of float32 numbers for each two tokens of a source: attention scores.
        values_per_source: Number of further float32 numbers for each source: the keys and values of its
            longest target.
        exact: See `group_by_width`.
        on_gpu: Whether they are computed on a GPU.
    """
    batches, most = [], MAX_ROWS if exact or on_gpu else min(CPU_ROWS, MAX_ROWS)
    for width, chosen in group_by_width(lengths, exact=exact):
        values = width * values_per_token + width * width * values_per_pair + values_per_source
        rows = _rows(most, width, beam, values)
        parts = (chosen[first : first + rows] for first in range(0, len(chosen), rows))
        batches += [LengthBatch(part, rows, width) for part in parts]
    return batches


def _rows(most: int, width: int, beam: int, values: int) -> int:
    """Return the number of rows of a batch: a power of 2, so that its halves have the same shape.

    Args:
        most: Maximum number of rows.
        width: Number of tokens of each source, padding included.
        beam: Number of hypotheses for each source.
        values: Number of float32 numbers for each source.
    """
    tokens = MAX_TOKENS if beam <= 4 else MAX_TOKENS * 4 // beam
    rows = min(most, MAX_HYPOTHESES // beam, tokens // width, MAX_VALUES // values)
    return 1 << (max(1, rows).bit_length() - 1)


def lengths_of(sources: Ids, *, exact: bool = False) -> NDArray[np.int64]:
    """Return the number of tokens of each padded source, (n, S) -> (n,).

    Args:
        sources: Ids of the sources, padded on the right.
        exact: Whether all sources have length S, without padding.
    """
    if exact:
        return np.full(len(sources), sources.shape[1], np.int64)
    return np.asarray((sources != PAD).sum(axis=1), np.int64)


def flat_rows(sources: Ids | Sequence[Sequence[int]], *, exact: bool = False) -> RaggedRows:
    """Return sources as ragged rows.

    Args:
        sources: Padded ids (n, S), or one sequence of ids for each source.
        exact: See `lengths_of`.
    """
    if isinstance(sources, np.ndarray):
        lengths = lengths_of(sources, exact=exact)
        ids = sources[np.arange(sources.shape[1]) < lengths[:, None]]
    else:
        lengths = np.array([len(ids) for ids in sources], np.int64)
        ids = np.fromiter(chain.from_iterable(sources), np.int32, count=int(lengths.sum()))
    return RaggedRows(ids, np.concatenate([[0], np.cumsum(lengths)]))
