"""The record of one evaluated example: a line of `predictions.jsonl`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from job.results.reading import validated
from job.storage.documents import parse_json

UNKNOWN_CHARACTER = "\udfff"
"""The character for a predicted unknown token in `Prediction.scored`: half of a surrogate pair. No text that
was decoded from UTF-8 has one, so it never matches."""


@dataclass(frozen=True)
class Prediction:
    """One evaluated example, as text: a line of `predictions.jsonl`.

    Args:
        id: of the example, the same in every run of the problem.
        source, target: the source and the first reference target: the data's own text after the normalization
            of the spec, with the tokens that the vocabulary does not have.
        predicted: the predicted target.
        correct: whether the prediction equals a reference target; None for time series. A prediction with an
            unknown token is never correct.
        references: all reference targets if there are several; otherwise empty and not in the file.
        unknown: spans of `predicted` (first character, one past the last) that are a predicted unknown token,
            written `<unk>`; not in the file if there are none. A data token of that spelling has no span.
        edits: edit distance to the nearest reference target and that target's length, both in tokens; only if
            nothing but the problem can split a target into tokens, otherwise not in the file.
    """

    id: str
    source: str
    target: str
    predicted: str
    correct: bool | None
    references: tuple[str, ...] = ()
    unknown: tuple[tuple[int, int], ...] = ()
    edits: tuple[int, int] | None = None

    @property
    def targets(self) -> tuple[str, ...]:
        """All reference targets, at least one."""
        return self.references or (self.target,)

    @property
    def scored(self) -> str:
        """The text to score: `predicted` with `UNKNOWN_CHARACTER` in place of unknown tokens."""
        text = self.predicted
        for first, last in reversed(self.unknown):
            text = text[:first] + UNKNOWN_CHARACTER + text[last:]
        return text

    @property
    def unknown_label(self) -> str:
        """The text of an unknown token in `predicted`; empty if there is none."""
        return next((self.predicted[first:last] for first, last in self.unknown), "")

    def to_line(self) -> str:
        """Return the JSON object of one line, without the newline."""
        optional = ("references", "unknown", "edits")
        record = {k: v for k, v in vars(self).items() if v or k not in optional}
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_line(cls, line: str | bytes) -> Prediction:
        """Return the prediction of a line of `predictions.jsonl`; raises `ValueError` if it is invalid."""
        return validated(_prediction_reader(), parse_json(line))


@cache
def _prediction_reader() -> TypeAdapter[Prediction]:
    return TypeAdapter(Prediction)
