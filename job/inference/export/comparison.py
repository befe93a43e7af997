"""Compare the ids that an export has decoded with those of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from job.errors import ExportError
from job.problems.base import Ids

NEAR_TIE = 1e-4
"""Difference of two log-probabilities below which the rounding of another runtime may decide between them."""

Score = Callable[[NDArray[np.intp], Ids], NDArray[np.float32]]
"""Indices of sources (k,) and targets (k, T) int32 -> log-probabilities of the targets by the model, (k,)."""


@dataclass(frozen=True, kw_only=True)
class Parting:
    """The first symbol at which an export parts from the model.

    Args:
        example: index of the test example.
        position: index of the symbol.
        expected, found: its id by the model and by the export; 0 after the end.
        expected_score, found_score: their log-probabilities by the model; minus infinity for an id that
            cannot follow.
    """

    example: int
    position: int
    expected: int
    found: int
    expected_score: float
    found_score: float

    @property
    def near_tie(self) -> bool:
        """Whether rounding may decide between the two symbols."""
        return abs(self.expected_score - self.found_score) <= NEAR_TIE


def partings(expected: Ids, found: Ids, score: Score, possible: Callable[[int, int], bool]) -> list[Parting]:
    """Return the first difference of each example whose ids differ.

    Args:
        expected: ids by the model, (n, T) int32, 0 after the end of each.
        found: ids by the export, in the same form.
        score: log-probabilities by the model.
        possible: whether an id can follow at all in an example, by its index and the id.
    """
    rows = np.flatnonzero((expected != found).any(axis=1))
    if not len(rows):
        return []
    places = (expected[rows] != found[rows]).argmax(axis=1)
    prefix = np.where(np.arange(expected.shape[1]) < places[:, None], expected[rows], 0).astype(np.int32)
    before = score(rows, prefix)
    scores = []
    for side in (expected, found):
        ids = side[rows, places]
        valid = np.array([bool(i) and possible(int(row), int(i)) for row, i in zip(rows, ids, strict=True)])
        targets = prefix.copy()
        targets[np.arange(len(rows)), places] = np.where(valid, ids, 0)
        scores.append(np.where(valid, score(rows, targets) - before, -np.inf))
    return [
        Parting(
            example=int(row),
            position=int(place),
            expected=int(expected[row, place]),
            found=int(found[row, place]),
            expected_score=float(scores[0][i]),
            found_score=float(scores[1][i]),
        )
        for i, (row, place) in enumerate(zip(rows, places, strict=True))
    ]


def count_near_ties(found: list[Parting], examples: int, token: Callable[[int], str]) -> int:
    """Return the number of near ties.

    Symbols after a near tie are not compared, since the model would have other symbols before them.

    Args:
        found: see `partings`.
        examples: number of examples that were compared.
        token: the text of a target id, for the message.

    Raises:
        ExportError: an example parts where there is no near tie; names the place.
    """
    wrong = [parting for parting in found if not parting.near_tie]
    if wrong:
        first = wrong[0]
        others = f" (and {len(wrong) - 1:,} more of {examples:,} examples)" if len(wrong) > 1 else ""
        raise ExportError(
            f"it predicts something else than the model: in test example {first.example} at symbol "
            f"{first.position + 1} the model has {_described(first.expected, first.expected_score, token)} "
            f"and the export {_described(first.found, first.found_score, token)}, which is no near tie "
            f"(within {NEAR_TIE:g}){others}"
        )
    return len(found)


def _described(number: int, score: float, token: Callable[[int], str]) -> str:
    if not number:
        return "no symbol"
    return f"id {number} ({token(number)!r}, log-probability {score:.6f})"
