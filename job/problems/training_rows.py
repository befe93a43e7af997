"""The ids of training pairs, encoded when they are needed first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.problems.pair_spool import PairSpool
from job.problems.pair_storage import Storage
from job.problems.ragged_rows import RaggedRows
from job.problems.vocabulary import END, Vocabulary


class TrainingRows:
    """The ids of the training pairs, encoded when they are needed first: a check of the data needs none.

    Args:
        encode: returns the ids of both sides; called once, by whichever thread is first.
    """

    def __init__(self, encode: Callable[[], tuple[RaggedRows, RaggedRows]]) -> None:
        self._encode: Callable[[], tuple[RaggedRows, RaggedRows]] | None = encode
        self._lock = Lock()
        self._sides: tuple[RaggedRows, RaggedRows] | None = None

    @classmethod
    def of_arrays(cls, arrays: Sequence[NDArray[Any]]) -> TrainingRows:
        """Return rows from their `arrays`."""
        sides = RaggedRows(*arrays[:2]), RaggedRows(*arrays[2:])
        return cls(lambda: sides)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Ids and starts of the sources, and those of the targets."""
        return tuple(array for side in self.sides for array in (side.ids, side.starts))

    @property
    def sides(self) -> tuple[RaggedRows, RaggedRows]:
        """The rows of sources and of targets."""
        with self._lock:
            if self._encode is not None:
                self._sides, self._encode = self._encode(), None  # which also lets go of the texts
            assert self._sides is not None
            return self._sides


def encode_pairs(
    pairs: PairSpool, most: int, vocabularies: tuple[Vocabulary, Vocabulary], storage: Storage
) -> tuple[RaggedRows, RaggedRows]:
    """Encode the training pairs; they have `most` ids at most."""
    writers = [
        _RowWriter(name, storage, vocabulary.last_id, most)
        for name, vocabulary in zip(("source", "target"), vocabularies, strict=True)
    ]
    for sources, targets in pairs.blocks():
        writers[0].append(RaggedRows.encode(sources, vocabularies[0]))
        writers[1].append(RaggedRows.encode(targets, vocabularies[1], END))
    return writers[0].finish(), writers[1].finish()


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
