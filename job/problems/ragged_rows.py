"""Rows of ids with different lengths, stored in two flat arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Ids
from job.problems.vocabulary import PAD, Vocabulary


@dataclass(frozen=True)
class RaggedRows:
    """Rows of ids of different lengths, stored one after another: 4 bytes per id and 8 per row.

    Args:
        ids: shape (number of all ids,), int32.
        starts: shape (rows + 1,), int64: row i is `ids[starts[i]:starts[i + 1]]`.
    """

    ids: Ids
    starts: NDArray[np.int64]

    @classmethod
    def encode(cls, texts: Sequence[str], vocabulary: Vocabulary, end: int | None = None) -> RaggedRows:
        """Encode normalized texts, each followed by the id `end` unless it is None."""
        suffix = [] if end is None else [end]
        lengths = np.empty(len(texts), np.int64)

        def rows() -> Iterator[list[int]]:
            for i, text in enumerate(texts):
                row = vocabulary.encode(vocabulary.model_tokens(text)) + suffix
                lengths[i] = len(row)
                yield row

        ids = np.fromiter(chain.from_iterable(rows()), np.int32)
        return cls(ids, np.concatenate([[0], np.cumsum(lengths)]))

    @property
    def lengths(self) -> NDArray[np.int64]:
        """The number of ids of each row, shape (rows,)."""
        return np.diff(self.starts)

    def row(self, index: int | np.integer) -> list[int]:
        """Return the ids of a row."""
        ids: list[int] = self.ids[self.starts[index] : self.starts[index + 1]].tolist()
        return ids

    def padded(self, chosen: NDArray[np.integer], multiple: int = 1, *, width: int | None = None) -> Ids:
        """Return the rows with indices `chosen`, shape (len(chosen), width), padded on the right with `PAD`.

        Args:
            chosen: indices of rows, (n,).
            multiple: what the width is rounded up to a multiple of.
            width: None for the length of the longest of the rows; none may be longer.
        """
        starts = self.starts[chosen]
        lengths = self.starts[chosen + 1] - starts
        if width is None:
            width = -(-int(lengths.max(initial=0)) // multiple) * multiple
        column = np.arange(width)
        taken = column < lengths[:, None]
        out = np.full(taken.shape, PAD, np.int32)
        out[taken] = self.ids[(starts[:, None] + column)[taken]]
        return out
