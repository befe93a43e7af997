"""Context vectors of test sources, projected on a plane by principal component analysis, for a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_SOURCES = 1000
"""Number of sources to project: more points would hide each other."""

_DIGITS = 5
"""Significant digits of the largest coordinate; all coordinates are rounded to the same decimal place."""

Label = Callable[[Sequence[str]], int]
"""Tokens of a source -> the number that determines the colour of its point."""

LABELS: dict[str, tuple[str, Label]] = {
    **dict.fromkeys(
        ("reversed_prefix", "reverse", "copy", "sort"), ("first element", lambda source: int(source[0]))
    ),
    "addition": ("digits of the first number", lambda source: list(source).index("+")),
}
"""Kind of problem -> what the colours mean; for other kinds it is the number of tokens."""


def contexts(
    kind: str, ids: Sequence[str], sources: Sequence[Sequence[str]], states: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    """Return the content of `contexts.json`.

    Args:
        kind: kind of the problem, which determines the colours.
        ids: ids of n test examples.
        sources: the tokens of their sources.
        states: state name -> the encoder's final states, (n, units) float32; a context vector is their
            concatenation.

    Returns:
        `ids`; `coordinates`, two for each; `explained`, the share of variance along each axis; `states`,
        their names; `label`, the meaning of the numbers in `labels`. Empty if a state is not finite.
    """
    vectors = np.concatenate([*states.values()], axis=1)
    if not np.isfinite(vectors).all():
        return {}
    coordinates, explained = principal_components(vectors)
    name, label = LABELS.get(kind, ("tokens of the source", len))
    return {
        "ids": list(ids),
        "states": list(states),
        "explained": [round(share, 4) for share in explained.tolist()],
        "label": name,
        "labels": [label(source) for source in sources],
        "coordinates": _rounded(coordinates).tolist(),
    }


def _rounded(values: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = np.abs(values).max()
    decimals = _DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0
    return values.round(decimals) + 0.0  # turns -0.0 into 0.0


def principal_components(vectors: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project vectors on their first two principal components (Pearson 1901).

    The sign of a component is arbitrary; its entry of largest magnitude is made positive.

    Args:
        vectors: (n, H), n > 0.

    Returns:
        coordinates, (n, 2) float64 with mean 0, and the share of the total variance along each axis, (2,); 0
        for an axis without variance.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, lengths, directions = np.linalg.svd(centred, full_matrices=False)
    variances, kept = lengths**2, directions[:2]
    largest = np.take_along_axis(kept, np.abs(kept).argmax(axis=1)[:, None], axis=1)
    coordinates = np.zeros((len(vectors), 2))
    coordinates[:, : len(kept)] = centred @ (kept * np.sign(largest)).T
    explained = np.zeros(2)
    if variances.sum() > 0:
        explained[: len(kept)] = variances[:2] / variances.sum()
    return coordinates, explained
