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
    """Rows of ids of different lengths, stored one after another.

    Args:
        ids: shape (number of all ids,), of any type of whole numbers; may be memory-mapped.
        starts: shape (rows + 1,), likewise: row i is `ids[starts[i]:starts[i + 1]]`.
    """

    ids: NDArray[np.integer]
    starts: NDArray[np.integer]

    @classmethod
    def encode(cls, texts: Sequence[str], vocabulary: Vocabulary, end: int | None = None) -> RaggedRows:
        """Encode normalized texts, each followed by the id `end` unless it is None."""
        if vocabulary.has_characters_only:
            return cls(*_encode_characters(texts, vocabulary, end))
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
    def count(self) -> int:
        """The number of rows."""
        return len(self.starts) - 1

    @property
    def lengths(self) -> NDArray[np.integer]:
        """The number of ids of each row, shape (rows,)."""
        return np.diff(self.starts)

    def lengths_of(self, chosen: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return the number of ids of each of the rows with indices `chosen`, shape (len(chosen),)."""
        lengths: NDArray[np.int64] = self.starts[chosen + 1].astype(np.int64) - self.starts[chosen]
        return lengths

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
        starts = self.starts[chosen].astype(np.int64)
        lengths = self.lengths_of(chosen)
        if width is None:
            width = -(-int(lengths.max(initial=0)) // multiple) * multiple
        column = np.arange(width)
        taken = column < lengths[:, None]
        out = np.full(taken.shape, PAD, np.int32)
        out[taken] = self.ids[(starts[:, None] + column)[taken]]
        return out

    def blocks(self, rows: int = 4096) -> Iterator[Ids]:
        """Yield all rows in order, `rows` at a time, each block padded to its longest: (n, length) int32."""
        for start in range(0, self.count, rows):
            yield self.padded(np.arange(start, min(start + rows, self.count)))


def _encode_characters(
    texts: Sequence[str], vocabulary: Vocabulary, end: int | None
) -> tuple[Ids, NDArray[np.int64]]:
    """Return ids and starts of texts whose tokens are their characters: one look-up for all of them.

    A normalized text has no line feed, which stands for `end` here.
    """
    last = "" if end is None else "\n"
    points = np.frombuffer("".join([text + last for text in texts]).encode("utf-32-le"), np.uint32)
    ids_of = np.full(int(points.max(initial=0)) + 1, vocabulary.unknown, np.int32)
    for i, token in enumerate(vocabulary.tokens):
        if i not in vocabulary.reserved and ord(token) < len(ids_of):
            ids_of[ord(token)] = i
    if end is not None and len(ids_of) > ord(last):
        ids_of[ord(last)] = end
    lengths = np.fromiter(map(len, texts), np.int64, len(texts)) + len(last)
    return ids_of[points], np.concatenate([[0], np.cumsum(lengths)])
