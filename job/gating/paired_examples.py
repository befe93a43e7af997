"""Match the predictions of two runs for the same test examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from job.results.comparison_records import FlippedExample
from job.results.predictions import Prediction

Pair = tuple[Prediction, Prediction]
"""Predictions for one example: of the baseline and of the candidate."""

_UNKNOWN = "<unk>"
"""Text that version 0.1.0 recorded for a token of the data outside the vocabulary."""


def pair_examples(before: Sequence[Prediction], now: Sequence[Prediction]) -> list[Pair]:
    """Pair the predictions for the same examples: those with equal id, source and reference targets.

    Args:
        before, now: predictions of the baseline and of the candidate.

    Returns:
        the pairs in the candidate's order; an empty list unless every example of the smaller side has a pair.
    """
    known = {example.id: example for example in before}
    pairs = [_pair(known[example.id], example) for example in now if example.id in known]
    found = [pair for pair in pairs if pair is not None]
    return found if len(found) == min(len(before), len(now)) else []


def why_unpaired(before: Sequence[Prediction] | None, now: Sequence[Prediction] | None) -> str:
    """Return why `pair_examples` finds no pairs, as a clause."""
    if not before:
        return "the baseline has no predictions (give its output directory, not only its report)"
    return "the test examples differ" if now else "this run has no predictions"


def _pair(before: Prediction, now: Prediction) -> Pair | None:
    """Return two predictions as a pair, or None if they are for different examples.

    If one of them was recorded by a version that wrote `<unk>` for tokens outside the vocabulary, its source
    and target are replaced by the other's, which have the text of the data.
    """
    if before.references != now.references:
        return None
    if (before.source, before.target) == (now.source, now.target):
        return before, now
    if _is_recorded_as(now, before):
        return replace(before, source=now.source, target=now.target), now
    if _is_recorded_as(before, now):
        return before, replace(now, source=before.source, target=before.target)
    return None


def _is_recorded_as(example: Prediction, recorded: Prediction) -> bool:
    """Return whether source and target of an example could have been recorded as those of `recorded`."""
    return _has_unknowns_for(example.source, recorded.source) and _has_unknowns_for(
        example.target, recorded.target
    )


def _has_unknowns_for(text: str, recorded: str) -> bool:
    """Return whether `recorded` is `text` with `<unk>` instead of some of its words or characters."""
    words, recorded_words = text.split(" "), recorded.split(" ")
    if len(words) == len(recorded_words) and all(
        found in (_UNKNOWN, word) for word, found in zip(words, recorded_words, strict=True)
    ):
        return True
    parts = map(re.escape, recorded.split(_UNKNOWN))
    return re.fullmatch(".".join(parts), text, re.DOTALL) is not None


def flipped_examples(pairs: Sequence[Pair], *, lost: bool) -> Iterator[FlippedExample]:
    """Yield the examples that were right before and are wrong now (`lost`), or the other way."""
    for before, now in pairs:
        if before.correct is lost and now.correct is (not lost):
            yield FlippedExample(now.id, now.source, now.target, before.predicted, now.predicted)
