"""Scores of predicted against right targets: over token ids, over tokens, over text."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

Bools = NDArray[np.bool_]
Ids = NDArray[np.int32]
Floats = NDArray[np.float64]


BLEU_TOKENS = 4
"""BLEU counts sequences of up to this many tokens."""


def sequence_accuracy(correct: Bools) -> float:
    """Return the share of right sequences; `correct` is (n,) bool with n > 0."""
    return float(np.mean(correct))


def token_accuracy(predicted: Ids, target: Ids, unknown: int | None = None) -> float:
    """Return the share of target positions, padding (0) apart, that hold the right token.

    Args:
        predicted: (n, T') int32, 0 after a row's end.
        target: (n, T) int32, 0 after a row's end. Where T' < T the missing positions count as wrong.
        unknown: the id of tokens that the vocabulary lacks, which no prediction is right about: two of them
            need not be the same.
    """
    width = min(predicted.shape[1], target.shape[1])
    valid = target != 0
    right = (predicted[:, :width] == target[:, :width]) & valid[:, :width]
    if unknown is not None:
        right &= target[:, :width] != unknown
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


def edit_rate(predicted: list[list[str]], references: list[list[list[str]]]) -> float | None:
    """Return edit distance over reference tokens: the word or phoneme error rate. Can exceed 1.

    Returns:
        0 where there is no error, however short the references are; None where there are errors, but the
        references they are counted against have no token.
    """
    return per_token(*edit_distances(predicted, references))


def per_token(errors: float, tokens: float) -> float | None:
    """Return errors over reference tokens, as `edit_rate` says."""
    if tokens == 0:
        return None if errors else 0.0
    return errors / tokens


def bleu_is_defined(references: Sequence[Sequence[str]]) -> bool:
    """Return whether BLEU says something about predictions of these texts.

    It is 0 where no prediction has four tokens, perfect ones too. So some text must have nothing but
    references of four tokens or more.

    Args:
        references: the reference texts of each example.
    """
    return any(all(len(text.split()) >= BLEU_TOKENS for text in texts) for texts in references)


def rmse(predicted: Floats, target: Floats) -> float:
    """Return the root of the mean squared error; both of one shape, NaN in `target` does not count.

    What is not finite in `predicted` does: the result is not finite then.
    """
    errors, count = _errors(predicted, target)
    unit = power_of_two(errors)
    return float(np.sqrt(np.sum((errors / unit) ** 2) / count) * unit)


def mae(predicted: Floats, target: Floats) -> float:
    """Return the mean absolute error; arguments as of `rmse`."""
    errors, count = _errors(predicted, target)
    return float(np.sum(np.abs(errors)) / count)


def _errors(predicted: Floats, target: Floats) -> tuple[Floats, int]:
    """Return the errors, 0 where `target` is NaN, and how many others there are."""
    known = ~np.isnan(target)
    with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is told by the result
        errors: Floats = np.subtract(predicted, target, out=np.zeros(target.shape), where=known)
    return errors, int(known.sum())


def power_of_two(values: Floats) -> float:
    """Return the power of two next to the largest magnitude; 1 where there is none.

    Dividing by it and multiplying again changes nothing, but squares neither overflow nor underflow.
    """
    largest = float(np.abs(values).max(initial=0.0))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if math.isfinite(largest) else 1.0


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
    metrics, streams = _text_metrics(words, lowercase), _streams(references)
    # at most 100: the mean of four logarithms of 1 can come out as a little more
    scores = {name: min(m.corpus_score(predicted, streams).score, 100.0) for name, m in metrics.items()}
    return TextScores(scores, {name: str(metric.get_signature()) for name, metric in metrics.items()})


def _text_metrics(words: bool, lowercase: bool = False) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF  # half a second that other problems do not need

    bleu = {"bleu": BLEU(tokenize="none", lowercase=lowercase)} if words else {}
    return {**bleu, "chrf": CHRF(lowercase=lowercase)}


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Return the first references of all texts, the second ones and so on, as sacrebleu takes them."""
    most = max(map(len, references))
    return [[of[i] if i < len(of) else None for of in references] for i in range(most)]


def text_counts(
    predicted: Sequence[str], references: Sequence[Sequence[str]], *, words: bool
) -> dict[str, Floats]:
    """Return each text's counts of n-grams, from whose sums `BY_COUNTS` makes the scores of `text_scores`.

    sacrebleu counts here too, by the method that its own test of significance goes by; that test scores its
    resamples one at a time in Python, which takes minutes where NumPy takes seconds.

    Args:
        predicted, references, words: as of `text_scores`.

    Returns:
        metric -> (n, counts), float64.
    """
    streams = _streams(references)
    return {
        name: np.array(metric._extract_corpus_statistics(predicted, streams), np.float64)
        for name, metric in _text_metrics(words).items()
    }


def _bleu(counts: Floats) -> Floats:
    """BLEU, 0 to 100, of (..., 10) counts: length, reference's length, n-grams matched (4), written (4).

    Where no n-gram of a length matches, half of one counts, of the next length a quarter, and so on (Chen and
    Cherry 2014, method 3).
    """
    length, reference, matched, written = np.split(counts, [1, 2, 6], axis=-1)
    smoothed = np.where(matched > 0, matched, 0.5 ** np.cumsum(matched == 0, axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.minimum(1 - reference / length, 0.0)[..., 0]
        score = 100 * np.exp(brevity + np.log(smoothed / written).mean(axis=-1))
    defined = (matched > 0).any(axis=-1) & (written > 0).all(axis=-1)
    return np.where(defined, np.minimum(score, 100.0), 0.0)


def _chrf(counts: Floats) -> Floats:
    """chrF, 0 to 100, of (..., 18) counts: for each of 6 lengths, n-grams written, of the reference, matched.

    Recall weighs twice as much as precision; lengths that one side has no n-grams of do not count.
    """
    written, reference, matched = np.moveaxis(counts.reshape(*counts.shape[:-1], 6, 3), -1, 0)
    usable = (written > 0) & (reference > 0)
    lengths = np.maximum(usable.sum(axis=-1), 1)
    precision, recall = (
        np.divide(matched, total, out=np.zeros_like(matched), where=usable).sum(axis=-1) / lengths
        for total in (written, reference)
    )
    weighted = 4 * precision + recall
    score: Floats = np.divide(
        500 * precision * recall, weighted, out=np.zeros_like(weighted), where=weighted > 0
    )
    return score


BY_COUNTS: dict[str, Callable[[Floats], Floats]] = {"bleu": _bleu, "chrf": _chrf}
"""Metric of text -> its score, 0 to 100, by summed `text_counts`: (..., counts) -> (...)."""
