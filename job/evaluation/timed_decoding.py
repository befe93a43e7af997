"""Decode a test set of token sequences in one process or in several, and measure compilation and decoding.

Examples are divided into parts of whole batches. The shape of a batch depends only on its own examples, see
`job.inference.length_batches`, so that predictions do not depend on which process decodes a part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from job.inference.length_batches import group_by_width, lengths_of
from job.problems.base import Ids

Decode = Callable[[Ids], Ids]
"""Sources (n, S) int32 -> predicted ids (n, T) int32, 0 after a row's end."""

Part = NDArray[np.intp]
"""Indices of examples that are decoded together."""

Rows = TypeVar("Rows", bound=NDArray[Any])

PART_SIZE = 1024
"""Number of examples of a part, as far as there are as many: the batch size of short ones."""


class Spread:
    """Decoding by this process alone."""

    processes = 1
    """Number of processes that decode."""

    def share_weights(self, models: Sequence[Any]) -> None:
        """Give all processes the weights of the first one.

        Args:
            models: the Keras models that decode.
        """

    def rounds(self, parts: Sequence[Part], decode: Callable[[Part], Rows]) -> Iterator[list[Rows]]:
        """Decode parts, as many at once as there are processes.

        Every process must call this in the same order and with the same parts.

        Args:
            parts: the parts, each with at least one example.
            decode: returns a row for each example of a part, all with the same number of columns.

        Yields:
            the rows of the next parts, in the order of the parts; in processes other than the first one
            nothing.

        Raises:
            Stopped: a process of a cluster was asked to stop.
        """
        for part in parts:
            yield [decode(part)]


ALONE = Spread()


def parts_of(source: Ids) -> list[Part]:
    """Return parts of sources (n, S) with similar lengths, n > 0, the shortest first."""
    groups = [chosen for _, chosen in group_by_width(lengths_of(source))]
    return [
        chosen[first : first + PART_SIZE] for chosen in groups for first in range(0, len(chosen), PART_SIZE)
    ]


def decode_spread(decode: Callable[[Ids], Ids], source: Ids, spread: Spread) -> Ids:
    """Decode sources (n, S), n > 0, in parts; return the targets in the order of the sources, (n, T).

    In processes other than the first one the result has no rows.
    """
    parts = parts_of(source)
    return in_order(
        parts, [rows for found in spread.rounds(parts, lambda p: decode(source[p])) for rows in found]
    )


def in_order(parts: Sequence[Part], rows: Sequence[Rows]) -> Rows:
    """Return the rows of parts in the order of the examples; no rows if there are none."""
    if not rows:
        return np.zeros((0, 0), np.int32)  # type: ignore[return-value]
    return np.concatenate(rows)[np.argsort(np.concatenate(parts))]  # type: ignore[return-value]


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A decoded test set.

    Args:
        ids: predicted ids, (n, T) int32.
        compile_seconds: time of the first decoding, with tracing; 0 if it was compiled before.
        seconds: time of decoding the whole test set once compiled.
        speeds: sequences per second of each full part; of a cluster of the parts that are decoded at once.
    """

    ids: Ids
    compile_seconds: float
    seconds: float
    speeds: tuple[float, ...]


def decode_timed(
    decode: Decode,
    source: Ids,
    spread: Spread = ALONE,
    on_decoded: Callable[[int], None] = lambda _: None,
    *,
    compiled: bool = False,
) -> Decoded:
    """Decode sources in timed parts of at most `PART_SIZE` sources with similar lengths.

    Args:
        decode: the model with its decoder.
        source: (n, S) int32, n > 0.
        spread: the processes that decode.
        on_decoded: called with the number of sources after each part, or as many as are decoded at once;
            first with 0, once all is compiled.
        compiled: whether `decode` is compiled; if not, it is called with one source first. That takes as long
            as decoding a whole batch, of which the other rows are empty.
    """
    compile_seconds = 0.0 if compiled else _seconds_of_one(decode, source)
    began = last = time.perf_counter()
    on_decoded(0)
    parts, rows, speeds = parts_of(source), [], []
    for found in spread.rounds(parts, lambda part: decode(source[part])):
        now = time.perf_counter()
        if sum(map(len, found)) == spread.processes * PART_SIZE:
            speeds.append(spread.processes * PART_SIZE / (now - last))
        rows += found
        last = now
        on_decoded(sum(map(len, found)))
    return Decoded(
        ids=in_order(parts, rows),
        compile_seconds=compile_seconds,
        seconds=last - began,
        speeds=tuple(speeds),
    )


def _seconds_of_one(decode: Decode, source: Ids) -> float:
    """Decode one source; return the time it took, in seconds."""
    began = time.perf_counter()
    decode(source[:1])
    return time.perf_counter() - began
