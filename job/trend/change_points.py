"""Where a series of measurements changed its level, told from noise.

The method is circular binary segmentation (Olshen, Venkatraman, Lucito and Wigler, Biostatistics 5, 2004). Of
all stretches of a series the one whose mean differs most from that of the rest is held against the same of
the values in random order. That asks for no distribution of the noise, only that runs without a change could
as well have come in any order; and it finds a dip that was made good, which a search for one cut at a time
does not. Where a stretch is found, what lies before, in and after it is searched in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Rows of a series -> a number of each."""

ALPHA = 0.01
"""Share of series without any change in which one would be found."""

PERMUTATIONS = 1000
COVERAGE = 0.99
"""Of the noise band: the share of further runs that would fall into it."""

_CHUNK = 100
_ROUNDING = 1e-9  # sums in another order differ in the last digits


@dataclass(frozen=True)
class Level:
    """Runs between two changes.

    Args:
        first, end: the runs' numbers in the series, from 0; `end` is the first one after.
        mean: of their values.
        low, high: the noise band, where `COVERAGE` of further runs would fall were the noise normal; None for
            a single run.
        p_value: of the change that it begins with; None for the first level.
    """

    first: int
    end: int
    mean: float
    low: float | None
    high: float | None
    p_value: float | None


def levels(values: Sequence[float], alpha: float = ALPHA) -> tuple[Level, ...]:
    """Divide a series where its level changed.

    The same values give the same levels.

    Args:
        values: at least one, finite, in the order of time.
        alpha: see `ALPHA`.
    """
    series = np.asarray(values, np.float64)
    cuts = dict(_cuts(series, 0, alpha, np.random.default_rng(0)))
    bounds = [0, *sorted(cuts), len(series)]
    return tuple(
        Level(first, end, float(series[first:end].mean()), *band(series[first:end]), cuts.get(first))
        for first, end in pairwise(bounds)
    )


def band(values: Sequence[float] | Floats) -> tuple[float | None, float | None]:
    """Return where a further run would fall with probability `COVERAGE`, were the noise normal.

    This is Student's prediction interval: wide where there are few values.
    """
    count = len(values)
    if count < 2:
        return None, None
    from scipy.stats import t  # half a second that only this asks for

    spread = float(np.std(values, ddof=1)) * (1 + 1 / count) ** 0.5
    reach = float(t.ppf((1 + COVERAGE) / 2, count - 1)) * spread
    mean = float(np.mean(values))
    return mean - reach, mean + reach


def _cuts(
    series: Floats, offset: int, alpha: float, draw: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Yield the places of changes, each with its p-value."""
    if len(series) < 2 or np.ptp(series) == 0:
        return
    p_value = _chance(series, _most_apart, alpha, draw)
    if p_value > alpha:
        return
    places = _bounds(series, alpha, draw)
    yield from ((offset + place, p_value) for place in places)
    for first, end in pairwise([0, *places, len(series)]):
        yield from _cuts(series[first:end], offset + first, alpha, draw)


def _bounds(series: Floats, alpha: float, draw: np.random.Generator) -> list[int]:
    """Return where the stretch that is most apart begins and ends; only one of it if the other is noise.

    A change that lasts to the end of a series looks much like one that ends just before it. So, as the paper
    has it, both bounds must hold by themselves, else the best single cut is taken.
    """
    n = len(series)
    first, length = _farthest(series)
    inner = [place for place in (first, first + length) if 0 < place < n]
    if len(inner) == 2:
        for part, place in ((series[: inner[1]], first), (series[first:], length)):
            if _chance(part, partial(_cut_apart, place=place), alpha, draw) > alpha:
                return [max(range(1, n), key=lambda place: _cut_apart(series[None], place)[0])]
    return inner


def _chance(series: Floats, statistic: Statistic, alpha: float, draw: np.random.Generator) -> float:
    """Return how often values in random order have a statistic as large: a p-value.

    It is 1 as soon as it must be more than `alpha`.
    """
    seen = statistic(series[None])[0] * (1 - _ROUNDING)
    as_large = 1
    for _ in range(PERMUTATIONS // _CHUNK):
        shuffled = draw.permuted(np.tile(series, (_CHUNK, 1)), axis=1)
        as_large += int((statistic(shuffled) >= seen).sum())
        if as_large > alpha * (1 + PERMUTATIONS):
            return 1.0
    return as_large / (1 + PERMUTATIONS)


def _apart(rows: Floats) -> Iterator[Floats]:
    """Yield for each length of a stretch, from 1, how far stretches are from the rest: (rows, places).

    That is |sum of the deviations inside| / sqrt(l (n - l) / n), l being the length: the difference of means,
    in units that make all lengths alike.

    Args:
        rows: (rows, n), n at least 2.
    """
    n = rows.shape[1]
    sums = np.zeros((len(rows), n + 1))
    np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1, out=sums[:, 1:])
    for length in range(1, n):
        yield np.abs(sums[:, length:] - sums[:, :-length]) / (length * (n - length) / n) ** 0.5


def _most_apart(rows: Floats) -> Floats:
    """Return of each row how far the stretch is that is most apart."""
    most: Floats = np.array([apart.max(axis=1) for apart in _apart(rows)], np.float64).max(axis=0)
    return most


def _cut_apart(rows: Floats, place: int) -> Floats:
    """Return of each row how far what lies before a place is from the rest."""
    n = rows.shape[1]
    inside = rows[:, :place].sum(axis=1) - place * rows.mean(axis=1)
    apart: Floats = np.abs(inside) / (place * (n - place) / n) ** 0.5
    return apart


def _farthest(series: Floats) -> tuple[int, int]:
    """Return the place and the length of the stretch that is most apart."""
    best = [(apart.max(), int(apart.argmax())) for apart in _apart(series[None])]
    length, (_, place) = max(enumerate(best, 1), key=lambda found: found[1][0])
    return place, length
