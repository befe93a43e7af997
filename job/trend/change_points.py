"""Find changes of level in a noisy series of measurements.

The method is circular binary segmentation (Olshen, Venkatraman, Lucito and Wigler, Biostatistics 5, 2004).
The statistic is the largest difference between the mean of a segment and the mean of the rest, and its
p-value is that of a permutation test. The test assumes no distribution of the noise, only that runs without
a change could have come in any order. Unlike a search for one change point at a time, it finds a temporary
dip. The parts before, in and after a segment that was found are searched in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from job.metrics import within

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
"""Function of series (rows, n) that returns a statistic of each row."""

ALPHA = 0.01
"""Significance level: the share of series without a change in which one is found."""

PERMUTATIONS = 1000
"""Number of random orders in a test."""

COVERAGE = 0.99
"""Share of further runs that fall into the noise band."""

MIN_BAND_RUNS = 5
"""Number of runs from which on a noise band is narrow enough to be of use."""

UNLIMITED = (-math.inf, math.inf)
"""Limits of values that can be any number."""

_CHUNK = 100  # permutations at a time
_ROUNDING = 1e-9  # relative; sums in another order differ in the last digits


@dataclass(frozen=True)
class Level:
    """The values between two changes.

    Args:
        first, end: 0-based indices in the series; `end` is exclusive.
        mean: of the values.
        low, high: the noise band within what is possible, see `noise_band`; None for fewer than
            `MIN_BAND_RUNS` values.
        p_value: of the change at which the level begins; None for the first level.
    """

    first: int
    end: int
    mean: float
    low: float | None
    high: float | None
    p_value: float | None


def find_levels(
    values: Sequence[float], alpha: float = ALPHA, limits: tuple[float, float] = UNLIMITED
) -> tuple[Level, ...]:
    """Divide a series at its changes of level; the same values always give the same levels.

    Args:
        values: at least one, finite, in the order of time.
        alpha: see `ALPHA`.
        limits: of the values that are possible, for the noise bands.
    """
    series = np.asarray(values, np.float64)
    p_values = dict(_change_points(series, 0, alpha, np.random.default_rng(0)))
    ends = [0, *sorted(p_values), len(series)]
    parts = [(first, end, series[first:end]) for first, end in pairwise(ends)]
    return tuple(
        Level(first, end, float(part.mean()), *_useful_band(part, limits), p_values.get(first))
        for first, end, part in parts
    )


def _useful_band(part: Floats, limits: tuple[float, float]) -> tuple[float | None, float | None]:
    return noise_band(part, limits) if len(part) >= MIN_BAND_RUNS else (None, None)


def noise_band(
    values: Sequence[float] | Floats, limits: tuple[float, float] = UNLIMITED
) -> tuple[float | None, float | None]:
    """Return the interval into which a further run falls with probability `COVERAGE` if the noise is normal.

    This is Student's prediction interval: the fewer values, the wider. For a single value it is (None, None).

    Args:
        values: of the runs.
        limits: of the values that are possible; the band is cut at them, which no run can be beyond.
    """
    count = len(values)
    if count < 2:
        return None, None
    from scipy.stats import t  # takes half a second, and only this function needs it

    spread = float(np.std(values, ddof=1)) * (1 + 1 / count) ** 0.5
    reach = float(t.ppf((1 + COVERAGE) / 2, count - 1)) * spread
    mean = float(np.mean(values))
    return within(limits, mean - reach, mean + reach)


def _change_points(
    series: Floats, offset: int, alpha: float, draw: np.random.Generator
) -> Iterator[tuple[int, float]]:
    """Yield the indices of changes in the whole series, with their p-values.

    Args:
        series: a part of it.
        offset: index of the part's first value.
        alpha: see `ALPHA`.
        draw: for the permutations.
    """
    if len(series) < 2 or np.ptp(series) == 0:
        return
    p_value = _p_value(series, _largest_difference, alpha, draw)
    if p_value > alpha:
        return
    places = _segment_ends(series, alpha, draw)
    yield from ((offset + place, p_value) for place in places)
    for first, end in pairwise([0, *places, len(series)]):
        yield from _change_points(series[first:end], offset + first, alpha, draw)


def _segment_ends(series: Floats, alpha: float, draw: np.random.Generator) -> list[int]:
    """Return the ends of the most different segment that are inside the series.

    A change that lasts to the end of a series looks much like one that ends just before it. As in the paper,
    each end must therefore be significant on its own; otherwise the best single change point is returned.
    """
    n = len(series)
    first, length = _most_different_segment(series)
    inner = [place for place in (first, first + length) if 0 < place < n]
    if len(inner) == 2:
        for part, place in ((series[: inner[1]], first), (series[first:], length)):
            if _p_value(part, partial(_difference_at, place=place), alpha, draw) > alpha:
                return [max(range(1, n), key=lambda place: _difference_at(series[None], place)[0])]
    return inner


def _p_value(series: Floats, statistic: Statistic, alpha: float, draw: np.random.Generator) -> float:
    """Return the p-value of a statistic in a permutation test; 1 as soon as it must be above `alpha`."""
    observed = statistic(series[None])[0] * (1 - _ROUNDING)
    as_large = 1
    for _ in range(PERMUTATIONS // _CHUNK):
        shuffled = draw.permuted(np.tile(series, (_CHUNK, 1)), axis=1)
        as_large += int((statistic(shuffled) >= observed).sum())
        if as_large > alpha * (1 + PERMUTATIONS):
            return 1.0
    return as_large / (1 + PERMUTATIONS)


def _differences(rows: Floats) -> Iterator[Floats]:
    """Yield, for segments of each length from 1 on, their differences from the rest: (rows, starts).

    For a segment of length l it is |sum of its deviations from the mean| / sqrt(l (n - l) / n): the
    difference of the means, scaled so that all lengths are comparable.

    Args:
        rows: (rows, n), n at least 2.
    """
    n = rows.shape[1]
    sums = np.zeros((len(rows), n + 1))
    np.cumsum(rows - rows.mean(axis=1, keepdims=True), axis=1, out=sums[:, 1:])
    for length in range(1, n):
        yield np.abs(sums[:, length:] - sums[:, :-length]) / (length * (n - length) / n) ** 0.5


def _largest_difference(rows: Floats) -> Floats:
    """Return the largest difference in each row, (rows,)."""
    by_length = [differences.max(axis=1) for differences in _differences(rows)]
    largest: Floats = np.array(by_length, np.float64).max(axis=0)
    return largest


def _difference_at(rows: Floats, place: int) -> Floats:
    """Return the difference between the values before an index and the rest in each row, (rows,)."""
    n = rows.shape[1]
    inside = rows[:, :place].sum(axis=1) - place * rows.mean(axis=1)
    difference: Floats = np.abs(inside) / (place * (n - place) / n) ** 0.5
    return difference


def _most_different_segment(series: Floats) -> tuple[int, int]:
    """Return the start and the length of the segment that differs most from the rest."""
    best = [(each.max(), int(each.argmax())) for each in _differences(series[None])]
    length, (_, place) = max(enumerate(best, 1), key=lambda found: found[1][0])
    return place, length
