"""Pairs of texts in a file, in their order; read in blocks, so that they are never all in memory."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import IO, Literal

from job.problems.pair_formats import Pair

BLOCK_BYTES = 1 << 20
"""Number of bytes of a spool that are read at once."""

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
        place, rest = 0, b""
        while True:
            self._file.seek(place)
            if not (read := self._file.read(BLOCK_BYTES)):
                return
            place += len(read)
            text = rest + read
            end = text.rfind(b"\n") + 1
            if text.count(b"\n") % 2:  # the source of a pair whose target is still to be read
                end = text.rfind(b"\n", 0, end - 1) + 1
            text, rest = text[:end], text[end:]
            if text:
                lines = text.decode().split("\n")
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
        return chain.from_iterable(self.blocks())

    def blocks(self) -> Iterator[list[str]]:
        """Yield all texts in blocks."""
        for block in self.spool.blocks():
            yield block[self.side]
