"""Scores of predicted against right targets: over token ids, over tokens, over text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

Bools = NDArray[np.bool_]
Ids = NDArray[np.int32]


def sequence_accuracy(correct: Bools) -> float:
    """Return the share of right sequences; `correct` is (n,) bool with n > 0."""
    return float(np.mean(correct))


def token_accuracy(predicted: Ids, target: Ids) -> float:
    """Return the share of target positions, padding (0) apart, that hold the right token.

    Args:
        predicted: (n, T') int32, 0 after a row's end.
        target: (n, T) int32, 0 after a row's end. Where T' < T the missing positions count as wrong.
    """
    width = min(predicted.shape[1], target.shape[1])
    valid = target != 0
    right = (predicted[:, :width] == target[:, :width]) & valid[:, :width]
    return float(right.sum() / valid.sum())


def edit_distances(predicted: list[list[str]], references: list[list[list[str]]]) -> tuple[int, int]:
    """Return the summed edit distance to each row's nearest reference, and those references' summed length.

    Levenshtein 1966: insertions, deletions and substitutions each cost 1. Of references equally near the
    longest counts, so that the rate does not depend on their order.
    """
    errors = tokens = 0
    for row, options in zip(predicted, references, strict=True):
        distance, negative_length = min((Levenshtein.distance(row, ref), -len(ref)) for ref in options)
        errors += distance
        tokens -= negative_length
    return errors, tokens


def edit_rate(predicted: list[list[str]], references: list[list[list[str]]]) -> float:
    """Return edit distance over reference tokens: the word or phoneme error rate. Can exceed 1."""
    errors, tokens = edit_distances(predicted, references)
    return errors / tokens


def rmse(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Return the root of the mean squared error; both of one shape, NaN in `target` does not count."""
    return float(np.sqrt(np.nanmean((predicted - target) ** 2)))


def mae(predicted: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Return the mean absolute error; both of one shape, NaN in `target` does not count."""
    return float(np.nanmean(np.abs(predicted - target)))


@dataclass(frozen=True)
class TextScores:
    """Scores of the texts of a whole test set.

    Args:
        scores: metric -> value, 0 to 100.
        signatures: metric -> sacrebleu's signature, which says how the score was made.
    """

    scores: dict[str, float]
    signatures: dict[str, str]


def text_scores(
    predicted: Sequence[str], references: Sequence[Sequence[str]], *, words: bool, lowercase: bool = False
) -> TextScores:
    """Return chrF (Popovic 2015) and, of words, BLEU (Papineni et al. 2002) as sacrebleu computes them (Post
    2018).

    A text is its tokens joined as in the data. BLEU's words are the tokens themselves (`tok:none`): what the
    data has split is not split again, and what it has not is one word. So a BLEU compares with others over
    the same data alone, as its signature says. BLEU over characters says nothing, so there is none of them.

    Args:
        predicted: n texts, at least one.
        references: the right texts of each, at least one.
        words: whether tokens are words.
        lowercase: whether all texts are in lower case already, for the signature.
    """
    from sacrebleu.metrics import BLEU, CHRF  # half a second that other problems do not need

    most = max(map(len, references))
    streams = [[of[i] if i < len(of) else None for of in references] for i in range(most)]
    metrics = {"chrf": CHRF(lowercase=lowercase)}
    if words:
        metrics["bleu"] = BLEU(tokenize="none", lowercase=lowercase)
    # at most 100: the mean of four logarithms of 1 can come out as a little more
    scores = {name: min(m.corpus_score(predicted, streams).score, 100.0) for name, m in metrics.items()}
    return TextScores(scores, {name: str(metric.get_signature()) for name, metric in metrics.items()})
