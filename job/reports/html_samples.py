"""Samples, mistakes and changed predictions of `report.html`, with differences from the target marked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

from job.reports.escaping import shortened
from job.results.comparison_records import FlippedExample
from job.results.predictions import UNKNOWN_CHARACTER, Prediction

Part = tuple[str, bool]
"""A stretch of a text, and whether it differs from the other text."""


@dataclass(frozen=True)
class Sample:
    """A prediction beside its reference targets.

    Args:
        id, source: of the example.
        targets: the reference targets.
        predicted: the prediction.
        correct: None for numbers.
        edits: number of edits that would correct the prediction; None if it was not counted.
    """

    id: str
    source: str
    targets: list[list[Part]]
    predicted: list[Part]
    correct: bool | None
    edits: int | None = None


@dataclass(frozen=True)
class ChangedPrediction:
    """A test example that is correct on one side of a comparison only.

    Args:
        id, source, target: of the example.
        before, now: predictions of the baseline and of the candidate.
    """

    id: str
    source: str
    target: str
    before: list[Part]
    now: list[Part]


def sample(prediction: Prediction) -> Sample:
    """Return a sample; differences are marked if it is wrong."""
    predicted = shortened(prediction.scored)
    if prediction.correct is not False:  # correct, or a number, which is only near or far
        targets = [_unmarked(shortened(text)) for text in prediction.targets]
        shown = _unmarked(predicted)
    else:
        _, shown = differences(nearest(predicted, prediction.targets), predicted)
        shown = _with_label(shown, prediction.unknown_label)
        targets = [differences(shortened(text), predicted)[0] for text in prediction.targets]
    return Sample(prediction.id, shortened(prediction.source), targets, shown, prediction.correct)


def mistake(row: Mapping[str, Any]) -> Sample:
    """Return one of the worst mistakes of a result's `analysis`."""
    prediction = Prediction(
        row["id"], row["source"], row["target"], row["predicted"], False, (), row.get("unknown", ())
    )
    target, predicted = differences(row["target"], prediction.scored)
    predicted = _with_label(predicted, prediction.unknown_label)
    return Sample(row["id"], row["source"], [target], predicted, False, row["edit_distance"])


def changed_prediction(example: FlippedExample) -> ChangedPrediction:
    """Return an example of a comparison with both predictions."""
    target, before, now = map(shortened, (example.target, example.before, example.now))
    return ChangedPrediction(
        example.id,
        shortened(example.source),
        target,
        differences(target, before)[1],
        differences(target, now)[1],
    )


def _with_label(parts: list[Part], label: str) -> list[Part]:
    """Return the parts of a prediction with the unknown token written as its label."""
    return [(text.replace(UNKNOWN_CHARACTER, label), differs) for text, differs in parts]


def _unmarked(text: str) -> list[Part]:
    return [(text, False)] if text else []


# --- differences --------------------------------------------------------------------------------------------


def differences(target: str, predicted: str) -> tuple[list[Part], list[Part]]:
    """Divide two texts into parts that an optimal alignment has in common and parts that differ.

    Words are aligned if either text has several, else characters. Joined, the parts of each side are its
    text.
    """
    targets, predictions = _units(target, predicted)
    sides: tuple[list[Part], list[Part]] = ([], [])
    for edit in Levenshtein.opcodes([unit.strip() for unit in targets], [u.strip() for u in predictions]):
        differs = edit.tag != "equal"
        sides[0].extend(_parts(targets[edit.src_start : edit.src_end], differs))
        sides[1].extend(_parts(predictions[edit.dest_start : edit.dest_end], differs))
    return sides


def nearest(predicted: str, references: Sequence[str]) -> str:
    """Return the reference target with the smallest edit distance, the first of several."""
    return min(references, key=lambda text: Levenshtein.distance(*map(_stripped, _units(text, predicted))))


def _units(*texts: str) -> list[list[str]]:
    words = any(" " in text.strip() for text in texts)
    return [re.findall(r"\s*\S+\s*?|\s+", text) if words else list(text) for text in texts]


def _stripped(units: Sequence[str]) -> list[str]:
    return [unit.strip() for unit in units]


def _parts(units: Sequence[str], differs: bool) -> Iterator[Part]:
    """Yield the parts of a stretch; spaces around words that differ are not part of the difference."""
    text = "".join(units)
    core = (text.strip() if differs else "") or text
    before, _, after = text.partition(core) if core else ("", "", "")
    for part, different in ((before, False), (core, differs), (after, False)):
        if part:
            yield part, different
