"""Error analysis: accuracy by position and by source length, confusions of tokens, worst mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rapidfuzz.distance import Levenshtein

from job.results.predictions import UNKNOWN_CHARACTER, Prediction

MAX_CONFUSIONS = 20
"""Number of confusions listed, most frequent first."""

MAX_MISTAKES = 10
"""Number of mistakes listed, worst first."""

MAX_CHARACTERS = 200
"""Number of characters of each text of a mistake; `predictions.jsonl` has whole texts."""

Split = Callable[[str], list[str]]


def analyse(predictions: Sequence[Prediction], split_source: Split, split_target: Split) -> dict[str, Any]:
    """Return a result's `analysis`, JSON values.

    Each prediction is compared with its nearest reference target.

    Args:
        predictions: predictions of token sequences, at least one.
        split_source, split_target: text -> its tokens.

    Returns:
        `by_position`: for each target position, from 0, the `count` of targets that have it and the
        `accuracy` of the tokens there; `by_source_length`: the same for sequences by number of source tokens;
        `confusions`: the most frequent substitutions in an optimal alignment with `target`, `predicted`,
        `count`, and `unknown` (true) if the unknown token was predicted; `worst_mistakes`: `id`,
        `edit_distance`, `source`, `target`, `predicted`, and `unknown` as in `Prediction`.
    """
    rows = [_aligned(p, split_source, split_target) for p in predictions]
    return {
        "by_position": _by_position(rows),
        "by_source_length": _by_source_length(rows),
        "confusions": _confusions(rows),
        "worst_mistakes": _worst(rows),
    }


@dataclass(frozen=True)
class _Row:
    """A prediction and its nearest reference target, as text and as tokens."""

    prediction: Prediction
    reference: str
    source: list[str]
    target: list[str]
    predicted: list[str]

    @property
    def distance(self) -> int:
        """Number of insertions, deletions and substitutions between them."""
        return Levenshtein.distance(self.predicted, self.target)


def _aligned(p: Prediction, split_source: Split, split_target: Split) -> _Row:
    predicted = split_target(p.scored)
    nearest = min(p.targets, key=lambda text: Levenshtein.distance(predicted, split_target(text)))
    return _Row(p, nearest, split_source(p.source), split_target(nearest), predicted)


def _by_position(rows: Sequence[_Row]) -> list[dict[str, float]]:
    longest = max(len(row.target) for row in rows)
    shares = []
    for position in range(longest):
        long_enough = [row for row in rows if len(row.target) > position]
        correct = sum(row.predicted[position : position + 1] == [row.target[position]] for row in long_enough)
        count = len(long_enough)
        shares.append({"position": position, "count": count, "accuracy": correct / count})
    return shares


def _by_source_length(rows: Sequence[_Row]) -> list[dict[str, float]]:
    counts = Counter(len(row.source) for row in rows)
    correct = Counter(len(row.source) for row in rows if row.prediction.correct)
    return [{"length": n, "count": counts[n], "accuracy": correct[n] / counts[n]} for n in sorted(counts)]


def _confusions(rows: Sequence[_Row]) -> list[dict[str, Any]]:
    pairs: Counter[tuple[str, str]] = Counter()
    label = "<unk>"
    for row in rows:
        if not row.prediction.correct:
            label = row.prediction.unknown_label or label
            for edit in Levenshtein.editops(row.target, row.predicted):
                if edit.tag == "replace":
                    pairs[row.target[edit.src_pos], row.predicted[edit.dest_pos]] += 1
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:MAX_CONFUSIONS]
    return [
        {"target": t, "predicted": p.replace(UNKNOWN_CHARACTER, label), "count": count, "unknown": True}
        if UNKNOWN_CHARACTER in p  # it is a part of a word where tokens are subwords
        else {"target": t, "predicted": p, "count": count}
        for (t, p), count in ordered
    ]


def _worst(rows: Sequence[_Row]) -> list[dict[str, Any]]:
    wrong = sorted((row for row in rows if not row.prediction.correct), key=lambda row: -row.distance)
    return [
        {
            "id": row.prediction.id,
            "edit_distance": row.distance,
            "source": _cut(row.prediction.source),
            "target": _cut(row.reference),
            "predicted": _cut(row.prediction.predicted),
            **_unknown(row.prediction),
        }
        for row in wrong[:MAX_MISTAKES]
    ]


def _unknown(prediction: Prediction) -> dict[str, Any]:
    shown = len(_cut(prediction.predicted))
    spans = [list(span) for span in prediction.unknown if span[1] <= shown]
    return {"unknown": spans} if spans else {}


def _cut(text: str) -> str:
    return text if len(text) <= MAX_CHARACTERS else text[: MAX_CHARACTERS - 1] + "…"
