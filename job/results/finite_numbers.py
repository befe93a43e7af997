"""Numbers that are not finite, which JSON does not have: found by their place, never passed over."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any


def nonfinite_places(value: Any, place: str = "") -> Iterator[str]:
    """Yield where a tree of JSON values has a number that is NaN or infinite: `also[0].metrics.edit_rate`.

    Args:
        value: mappings, lists, tuples and plain values; others are taken for finite.
        place: of `value` itself, which is what the places begin with.
    """
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from nonfinite_places(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from nonfinite_places(inner, f"{place}[{i}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield place
