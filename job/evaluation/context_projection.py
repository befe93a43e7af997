"""The context vectors of test sources as points of a plane, for a picture of what an encoder tells apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST = 1000
"""Sources that are projected: more points hide each other."""

_DIGITS = 5
"""Of the largest coordinate, and so of all to the same place: no picture shows more."""

Label = Callable[[Sequence[str]], int]
"""The tokens of a source -> the number that colours its point."""

LABELS: dict[str, tuple[str, Label]] = {
    **dict.fromkeys(
        ("reversed_prefix", "reverse", "copy", "sort"), ("first element", lambda source: int(source[0]))
    ),
    "addition": ("digits of the first number", lambda source: list(source).index("+")),
}
"""Kind of problem -> what colours its points; of all others it is the number of tokens."""


def contexts(
    kind: str, ids: Sequence[str], sources: Sequence[Sequence[str]], states: Mapping[str, NDArray[np.float32]]
) -> dict[str, Any]:
    """Return the content of `contexts.json`, JSON values only.

    Args:
        kind: of the problem, which decides what colours the points.
        ids: of the n test examples.
        sources: their tokens.
        states: the encoder's states by name, each (n, H); a source's context vector is all of them, joined.

    Returns:
        `ids`; `coordinates`, two each; `explained`, the share of the vectors' variance along each of the two
        axes; `states`, the names; `label`, what the numbers in `labels` are. Nothing at all where a state is
        not finite.
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
    return values.round(decimals) + 0.0  # no -0.0


def principal_components(vectors: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Project vectors on the two directions in which they vary most (principal component analysis).

    A direction's sign means nothing, so it is chosen: the entry of greatest magnitude is positive.

    Args:
        vectors: (n, H), at least one.

    Returns:
        coordinates (n, 2), of mean 0, and the share of the total variance along each axis, (2,). Where the
        vectors vary in fewer than two directions, the rest is 0.
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
