"""Confidence intervals of a mean over seeds and of a share of examples, and the sample sizes they call for.

scipy is imported where it is used; see `significance_tests`.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from job.metrics import possible_range, within

MAX_SEEDS = 1000
"""Largest number of seeds that `seeds_needed` tries."""

_Z = NormalDist().inv_cdf(0.975)
"""Quantile of the standard normal distribution for two-sided 95 % intervals, about 1.96."""

# --- means over seeds ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeanInterval:
    """Mean of a sample with its 95 % confidence interval; of a single value, the mean alone is not None.

    Args:
        mean: of the values.
        deviation: standard deviation of the sample (divisor n - 1).
        low, high: ends of the interval.
    """

    mean: float
    deviation: float | None = None
    low: float | None = None
    high: float | None = None

    def contains(self, value: float) -> bool:
        """Return whether a value lies in the interval; False if there is none."""
        return self.low is not None and self.high is not None and self.low <= value <= self.high


def mean_interval(metric: str, values: Sequence[float]) -> MeanInterval:
    """Return the mean of at least one value and its 95 % interval by Student's t distribution (Student 1908).

    The interval is the part of mean ± t(0.975, n - 1) * deviation / sqrt(n) within the possible range of the
    metric. The true mean cannot be outside that range, so that what is cut off does not change how often the
    interval contains it.

    Args:
        metric: name of the metric, see `possible_range`.
        values: one for each seed.
    """
    # Scaled by a power of two, which is exact, neither the sum nor the squares overflow.
    unit = math.ldexp(1.0, math.frexp(max(map(abs, values)))[1] - 1)
    scaled = np.divide(values, unit)
    mean = float(np.mean(scaled)) * unit
    if len(values) < 2:
        return MeanInterval(mean)
    deviation = float(np.std(scaled, ddof=1)) * unit
    half = _half_width(deviation, len(values))
    low, high = within(possible_range(metric), mean - half, mean + half)
    return MeanInterval(mean, deviation, *within((-sys.float_info.max, sys.float_info.max), low, high))


def _half_width(deviation: float, count: int) -> float:
    """Return half the width of the 95 % interval of a mean of `count` values."""
    from scipy import stats

    return float(stats.t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)


def seeds_needed(mean: MeanInterval, threshold: float, count: int) -> int | None:
    """Estimate the number of seeds for which a mean's interval would no longer contain a threshold.

    The mean and the deviation are taken to stay as they are.

    Args:
        mean: over the present seeds.
        threshold: of a gate.
        count: number of the present seeds, at least 2.

    Returns:
        None if the interval does not contain the threshold now, or `MAX_SEEDS` seeds would not be enough.
    """
    deviation, distance = mean.deviation, abs(mean.mean - threshold)
    if deviation is None or not mean.contains(threshold):
        return None
    numbers = range(count + 1, MAX_SEEDS + 1)
    return next((number for number in numbers if _half_width(deviation, number) < distance), None)


# --- shares of examples -------------------------------------------------------------------------------------


def share_interval(share: float, count: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share of `count` > 0 examples (Wilson 1927), within 0 and 1."""
    weight = _Z**2 / count
    center = (share + weight / 2) / (1 + weight)
    half = math.sqrt(weight * share * (1 - share) + weight**2 / 4) / (1 + weight)
    return max(0.0, center - half), min(1.0, center + half)


def within_sampling_error(share: float, count: int, threshold: float) -> bool:
    """Return whether a threshold lies in the 95 % interval of a share of `count` examples (Wilson 1927).

    The score interval holds every t with (share - t)**2 <= z**2 * t * (1 - t) / count.
    """
    variance = threshold * (1 - threshold) / count
    return (share - threshold) ** 2 <= _Z**2 * variance


def examples_needed(share: float, threshold: float) -> int | None:
    """Estimate the number of examples for which a share would not be `within_sampling_error` of a threshold.

    Returns:
        None if the share equals the threshold, which no number of examples can decide.
    """
    if share == threshold:
        return None
    return math.ceil(_Z**2 * threshold * (1 - threshold) / (share - threshold) ** 2)


def round_up(number: int) -> int:
    """Round a positive number up to two significant digits: an estimated sample size is not more precise."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return math.ceil(number / unit) * unit
