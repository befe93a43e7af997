"""The axes of charts: limits with a margin, and ticks at round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_MARGIN = 0.05
"""Share of the values' range that stays free at either end."""

_NARROW = 1e-9
"""Smallest range relative to the values: in a smaller one they count as equal."""

_TINY = 1e-200
"""Ranges below it cannot be divided into steps."""

_MAX_FIXED = 1e6
_MIN_FIXED = 1e-4
"""Values from the first on, and steps below the second, are written with an exponent."""


@dataclass(frozen=True)
class Axis:
    """The values along one side of a chart.

    Args:
        low, high: the values at its two ends.
        step: the distance of its ticks.
    """

    low: float
    high: float
    step: float

    @property
    def ticks(self) -> list[float]:
        """The values at the ticks."""
        first, last = math.ceil(self.low / self.step), math.floor(self.high / self.step)
        return [number * self.step for number in range(first, last + 1)]

    @property
    def labels(self) -> list[str]:
        """The ticks as text, all with the same number of decimals."""
        ticks = self.ticks
        largest = max((abs(tick) for tick in ticks), default=0.0)
        place = math.floor(math.log10(self.step) + _NARROW)
        if self.step >= _MIN_FIXED and largest < _MAX_FIXED:
            return [f"{tick:,.{max(0, -place)}f}" for tick in ticks]
        digits = math.floor(math.log10(largest)) - place if largest else 0
        return [f"{tick:.{max(0, digits)}e}" if tick else "0" for tick in ticks]

    def share(self, value: float) -> float:
        """Return where a value is: 0 at the low end, 1 at the high end."""
        return (value - self.low) / (self.high - self.low)


def axis_for(
    values: Iterable[float], *, most: int, limits: tuple[float, float] | None = None, whole: bool = False
) -> Axis:
    """Return the axis of values.

    Args:
        values: all finite; there may be none.
        most: the largest number of steps between its ticks.
        limits: the values at its ends; None for those of the values with a margin.
        whole: whether ticks are at whole numbers only.
    """
    low, high = limits or _with_margin([*values] or [0.0, 1.0])
    step = _round_step((high - low) / most)
    return Axis(low, high, max(1.0, step) if whole else step)


def _with_margin(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    size = max(abs(low), abs(high))
    margin = _MARGIN * (high - low)
    if high - low <= max(_NARROW * size, _TINY):
        margin = _MARGIN * size if size > _TINY else 0.5
    return low - margin, high + margin


def _round_step(least: float) -> float:
    """Return the smallest of 1, 2 and 5 times a power of ten that is at least so large."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= least * (1 - _NARROW))
