"""Pairs of texts in a file, in their order; read in blocks, so that they are never all in memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import IO, Literal

from job.problems.pair_formats import Pair

BLOCK_PAIRS = 20_000
"""Number of pairs that are in memory at once."""

Side = Literal[0, 1]
"""Source or target of a pair."""


class PairSpool:
    """Pairs of normalized texts in a file: a source and its target are two lines.

    A normalized text has no line feed, because the lines of data files end there.

    Args:
        file: an open file; it is closed with the spool.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        weakref.finalize(self, file.close)

    def append(self, pairs: Iterable[Pair]) -> int:
        """Write pairs at the end; return the number of bytes."""
        return self._file.write("".join([f"{source}\n{target}\n" for source, target in pairs]).encode())

    def flush(self) -> None:
        """Write what is still buffered."""
        self._file.flush()

    def blocks(self) -> Iterator[tuple[list[str], list[str]]]:
        """Yield sources and targets, in blocks; other blocks may be read in between."""
        self._file.flush()
        place = 0
        while True:
            self._file.seek(place)
            lines = b"".join(islice(self._file, 2 * BLOCK_PAIRS)).decode().split("\n")
            place = self._file.tell()
            if len(lines) == 1:
                return
            yield lines[:-1:2], lines[1::2]

    def chosen(self, places: Sequence[int]) -> list[Pair]:
        """Return the pairs with these places, which are in ascending order."""
        found: list[Pair] = []
        first, left = 0, iter(places)
        place = next(left, None)
        for sources, targets in self.blocks():
            while place is not None and place < first + len(sources):
                found.append((sources[place - first], targets[place - first]))
                place = next(left, None)
            if place is None:
                break
            first += len(sources)
        return found


@dataclass(frozen=True)
class SpooledTexts:
    """All texts of one side; they can be read repeatedly.

    Args:
        spool: the pairs.
        side: which text of a pair.
    """

    spool: PairSpool
    side: Side

    def __iter__(self) -> Iterator[str]:
        for block in self.spool.blocks():
            yield from block[self.side]
