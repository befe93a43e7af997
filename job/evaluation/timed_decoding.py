"""Decode a test set of token sequences, and measure compilation and decoding."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from job.inference.length_batches import group_by_width, lengths_of
from job.problems.base import Ids

Decode = Callable[[Ids], Ids]
"""Sources (n, S) int32 -> predicted ids (n, T) int32, 0 after a row's end."""

PART_SIZE = 1024
"""Number of sequences whose decoding is timed together: the batch size of short ones."""


@dataclass(frozen=True, kw_only=True)
class Decoded:
    """A decoded test set.

    Args:
        ids: predicted ids, (n, T) int32.
        compile_seconds: time of the first decoding, with tracing.
        seconds: time of decoding the whole test set once compiled.
        speeds: sequences per second of each full part.
    """

    ids: Ids
    compile_seconds: float
    seconds: float
    speeds: tuple[float, ...]


def decode_timed(decode: Decode, source: Ids) -> Decoded:
    """Decode sources in timed parts of at most `PART_SIZE` sources with similar lengths.

    Args:
        decode: the model with its decoder; called with one source first, to compile it.
        source: (n, S) int32, n > 0.
    """
    began = time.perf_counter()
    decode(source[:1])
    compile_seconds = time.perf_counter() - began
    groups = [chosen for _, chosen in group_by_width(lengths_of(source))]
    parts = [
        chosen[first : first + PART_SIZE] for chosen in groups for first in range(0, len(chosen), PART_SIZE)
    ]
    ids, times = [], [time.perf_counter()]
    for part in parts:
        ids.append(decode(source[part]))
        times.append(time.perf_counter())
    seconds = [end - begin for begin, end in pairwise(times)]
    full = [s for part, s in zip(parts, seconds, strict=True) if len(part) == PART_SIZE]
    return Decoded(
        ids=np.concatenate(ids)[np.argsort(np.concatenate(parts))],
        compile_seconds=compile_seconds,
        seconds=sum(seconds),
        speeds=tuple(PART_SIZE / s for s in full),
    )
