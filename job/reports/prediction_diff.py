"""What a prediction has otherwise than its target, part by part."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rapidfuzz.distance import Levenshtein

Part = tuple[str, bool]
"""A stretch of a text, and whether it differs from the other text."""


def marked(target: str, predicted: str) -> tuple[list[Part], list[Part]]:
    """Divide two texts into what an optimal alignment has in common and what differs.

    Words are aligned where either text has several, else characters. The parts of each side put together are
    its text.
    """
    targets, predictions = _units(target, predicted)
    sides: tuple[list[Part], list[Part]] = ([], [])
    for edit in Levenshtein.opcodes([unit.strip() for unit in targets], [u.strip() for u in predictions]):
        differs = edit.tag != "equal"
        sides[0].extend(_parts(targets[edit.src_start : edit.src_end], differs))
        sides[1].extend(_parts(predictions[edit.dest_start : edit.dest_end], differs))
    return sides


def nearest(predicted: str, references: Sequence[str]) -> str:
    """Return the reference that a prediction is nearest to, the first of several."""
    return min(references, key=lambda text: Levenshtein.distance(*map(_stripped, _units(text, predicted))))


def _units(*texts: str) -> list[list[str]]:
    words = any(" " in text.strip() for text in texts)
    return [re.findall(r"\s*\S+\s*?|\s+", text) if words else list(text) for text in texts]


def _stripped(units: Sequence[str]) -> list[Any]:
    return [unit.strip() for unit in units]


def _parts(units: Sequence[str], differs: bool) -> Iterator[Part]:
    """Yield a stretch; spaces around words that differ are not part of the difference."""
    text = "".join(units)
    core = (text.strip() if differs else "") or text
    before, _, after = text.partition(core) if core else ("", "", "")
    for part, marks in ((before, False), (core, differs), (after, False)):
        if part:
            yield part, marks
