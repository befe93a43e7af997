"""The ids of training pairs, encoded when they are needed first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.problems.pair_spool import PairSpool
from job.problems.pair_storage import Storage
from job.problems.ragged_rows import RaggedRows
from job.problems.text_hashes import text_hashes
from job.problems.vocabulary import END, Vocabulary


@dataclass(frozen=True)
class EncodedPairs:
    """The ids of all training pairs.

    Args:
        sides: the sources, and the targets with their ends.
        unknown_rows: the rows whose source has an unknown token, so that its ids do not determine its text.
        unknown_hashes: the hashes of the texts of these sources.
    """

    sides: tuple[RaggedRows, RaggedRows]
    unknown_rows: NDArray[np.integer]
    unknown_hashes: NDArray[np.uint64]


class TrainingRows:
    """The ids of the training pairs, encoded when they are needed first: a check of the data needs none.

    Args:
        encode: returns the ids; called once, by whichever thread is first.
    """

    def __init__(self, encode: Callable[[], EncodedPairs]) -> None:
        self._encode: Callable[[], EncodedPairs] | None = encode
        self._lock = Lock()
        self._encoded: EncodedPairs | None = None

    @classmethod
    def of_arrays(cls, arrays: Sequence[NDArray[Any]]) -> TrainingRows:
        """Return rows from their `arrays`."""
        encoded = EncodedPairs((RaggedRows(*arrays[:2]), RaggedRows(*arrays[2:4])), *arrays[4:])
        return cls(lambda: encoded)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Ids and starts of the sources, those of the targets, and rows and hashes of unknown sources."""
        encoded = self.encoded
        of_sides = [array for side in encoded.sides for array in (side.ids, side.starts)]
        return (*of_sides, encoded.unknown_rows, encoded.unknown_hashes)

    @property
    def sides(self) -> tuple[RaggedRows, RaggedRows]:
        """The rows of sources and of targets."""
        return self.encoded.sides

    @property
    def encoded(self) -> EncodedPairs:
        """The ids, and what they leave open."""
        with self._lock:
            if self._encode is not None:
                self._encoded, self._encode = self._encode(), None  # which also lets go of the texts
            assert self._encoded is not None
            return self._encoded


def encode_pairs(
    pairs: PairSpool, most: int, vocabularies: tuple[Vocabulary, Vocabulary], storage: Storage
) -> EncodedPairs:
    """Encode the training pairs; they have `most` ids at most."""
    writers = [
        _RowWriter(name, storage, vocabulary.last_id, most)
        for name, vocabulary in zip(("source", "target"), vocabularies, strict=True)
    ]
    row_type = np.min_scalar_type(most)
    unknown, hashes = storage.open("unknown-rows"), storage.open("unknown-hashes")
    first = 0
    for sources, targets in pairs.blocks():
        rows = RaggedRows.encode(sources, vocabularies[0])
        writers[0].append(rows)
        writers[1].append(RaggedRows.encode(targets, vocabularies[1], END))
        places = _unknown_rows(rows, vocabularies[0])
        unknown.write((places + first).astype(row_type).tobytes())
        hashes.write(text_hashes([sources[place] for place in places.tolist()]).tobytes())
        first += len(sources)
    return EncodedPairs(
        (writers[0].finish(), writers[1].finish()),
        storage.array(unknown, row_type),
        storage.array(hashes, np.dtype(np.uint64)),
    )


def _unknown_rows(rows: RaggedRows, vocabulary: Vocabulary) -> NDArray[np.intp]:
    """Return the rows with a token that the vocabulary lacks, ascending."""
    unknown = rows.ids >= len(vocabulary)  # unknown tokens with ids of their own
    if vocabulary.unknown is not None:
        unknown |= rows.ids == vocabulary.unknown
    places = np.flatnonzero(unknown)
    return np.unique(np.searchsorted(rows.starts, places, side="right") - 1)


class _RowWriter:
    """Writes rows of ids, with the smallest types that hold their numbers.

    Args:
        name: of the side.
        storage: the place of the arrays.
        last_id: the largest id that can occur.
        most: number of ids of all rows at most.
    """

    def __init__(self, name: str, storage: Storage, last_id: int, most: int) -> None:
        self._storage = storage
        self._ids, self._starts = storage.open(f"{name}-ids"), storage.open(f"{name}-starts")
        self._id_type, self._start_type = np.min_scalar_type(last_id), np.min_scalar_type(most)
        self._total = 0
        self._starts.write(np.zeros(1, self._start_type).tobytes())

    def append(self, rows: RaggedRows) -> None:
        """Write rows after the last one."""
        self._ids.write(rows.ids.astype(self._id_type).tobytes())
        self._starts.write((rows.starts[1:] + self._total).astype(self._start_type).tobytes())
        self._total += len(rows.ids)

    def finish(self) -> RaggedRows:
        """Return all rows."""
        return RaggedRows(
            self._storage.array(self._ids, self._id_type),
            self._storage.array(self._starts, self._start_type),
        )
