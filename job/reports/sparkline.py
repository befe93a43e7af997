"""A few numbers -> a line as high as a line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 100, 24
"""Of the drawing, in its own units."""

_EDGE = 2


@dataclass(frozen=True)
class Sparkline:
    """A line for an SVG path.

    Args:
        path: the path's `d`.
        end: x and y of the last point.
        text: what one would see.
    """

    path: str
    end: tuple[float, float]
    text: str


def sparkline(
    values: Sequence[float | None], name: str, *, low: float | None = None, high: float | None = None
) -> Sparkline | None:
    """Draw values at equal distances; None where there are none.

    Args:
        values: what is None or not finite is passed over.
        name: of the quantity, for the text.
        low, high: what the bottom and the top stand for; by default the least and the greatest value.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    bottom = min(known) if low is None else low
    span = (max(known) if high is None else high) - bottom
    points = [
        (_x(number, len(known)), _y((value - bottom) / span if span > 0 else 0.5))
        for number, value in enumerate(known)
    ]
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    if len(known) == 1:
        return Sparkline(path, points[-1], f"{name}: {known[0]:.4g}")
    text = f"{name}, {len(known)} values: from {known[0]:.4g} to {known[-1]:.4g}"
    return Sparkline(path, points[-1], text)


def _x(number: int, count: int) -> float:
    return round(_EDGE + (WIDTH - 2 * _EDGE) * (number / (count - 1) if count > 1 else 0.5), 2)


def _y(height: float) -> float:
    return round(HEIGHT - _EDGE - (HEIGHT - 2 * _EDGE) * height, 2)
