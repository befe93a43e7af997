"""Text metrics: BLEU and chrF, and the counts from which resamples of them are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

Tokenization = Literal["none", "13a"]
"""How BLEU splits a text into tokens: `none` at whitespace, where the data is tokenized already; `13a`, which
is sacrebleu's default, splits off punctuation, where it is raw text."""

BLEU_LENGTHS = 4
"""BLEU counts n-grams of 1 to this many tokens."""


@dataclass(frozen=True)
class TextScores:
    """Text metrics of a test set.

    Args:
        scores: metric -> value, 0 to 100.
        signatures: metric -> sacrebleu's signature: version and settings.
    """

    scores: dict[str, float]
    signatures: dict[str, str]


def text_scores(
    predicted: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    words: bool,
    tokenize: Tokenization = "none",
    lowercase: bool = False,
) -> TextScores:
    """Return chrF (Popovic 2015) and, for words, BLEU (Papineni et al. 2002), by sacrebleu (Post 2018).

    The signature of BLEU says how texts were split. With `tok:none` it is comparable over the same data only.
    There is no BLEU over characters.

    Args:
        predicted: n texts, at least one.
        references: the reference targets of each, at least one.
        words: whether texts consist of words.
        tokenize: how BLEU splits texts.
        lowercase: whether all texts are in lower case, for the signature.
    """
    metrics, streams = _text_metrics(words, tokenize, lowercase), _streams(references)
    # at most 100: rounding can make the mean of four logarithms of 1 slightly larger
    scores = {name: min(m.corpus_score(predicted, streams).score, 100.0) for name, m in metrics.items()}
    return TextScores(scores, {name: str(metric.get_signature()) for name, metric in metrics.items()})


def _text_metrics(words: bool, tokenize: Tokenization, lowercase: bool = False) -> dict[str, Any]:
    from sacrebleu.metrics import BLEU, CHRF  # takes half a second to import

    # force: no advice on standard error about tokenized texts; the signature says how they were split
    bleu = {"bleu": BLEU(tokenize=tokenize, lowercase=lowercase, force=True)} if words else {}
    return {**bleu, "chrf": CHRF(lowercase=lowercase)}


def _streams(references: Sequence[Sequence[str]]) -> list[list[str | None]]:
    """Return sacrebleu's reference streams: the first reference of every text, then the second, and so on."""
    most = max(map(len, references))
    return [[of[i] if i < len(of) else None for of in references] for i in range(most)]


def text_counts(
    predicted: Sequence[str],
    references: Sequence[Sequence[str]],
    *,
    words: bool,
    tokenize: Tokenization = "none",
) -> dict[str, Floats]:
    """Return n-gram counts of each text; `SCORE_FROM_COUNTS` returns scores from their sums.

    The counts are sacrebleu's, by the method of its own significance test. That test scores resamples one at
    a time in Python, which takes minutes where NumPy takes seconds.

    Args:
        predicted, references, words, tokenize: see `text_scores`.

    Returns:
        metric -> counts, (n, number of counts) float64.
    """
    streams = _streams(references)
    return {
        name: np.array(metric._extract_corpus_statistics(predicted, streams), np.float64)
        for name, metric in _text_metrics(words, tokenize).items()
    }


def _bleu(counts: Floats) -> Floats:
    """Return BLEU, 0 to 100, from summed counts.

    Smoothed with method 3 of Chen and Cherry 2014: for the first n-gram length without a match half a match
    counts, for the next one a quarter, and so on.

    Args:
        counts: (..., 10): length, reference length, matched n-grams (4 lengths), predicted n-grams (4).
    """
    length, reference, matched, predicted = np.split(counts, [1, 2, 6], axis=-1)
    smoothed = np.where(matched > 0, matched, 0.5 ** np.cumsum(matched == 0, axis=-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        brevity = np.minimum(1 - reference / length, 0.0)[..., 0]
        score = 100 * np.exp(brevity + np.log(smoothed / predicted).mean(axis=-1))
    defined = (matched > 0).any(axis=-1) & (predicted > 0).all(axis=-1)
    return np.where(defined, np.minimum(score, 100.0), 0.0)


def _chrf(counts: Floats) -> Floats:
    """Return chrF, 0 to 100, from summed counts; recall weighs twice as much as precision (Popovic 2015).

    N-gram lengths of which one side has no n-gram do not count.

    Args:
        counts: (..., 18): for each of 6 lengths predicted, reference and matched n-grams.
    """
    predicted, reference, matched = np.moveaxis(counts.reshape(*counts.shape[:-1], 6, 3), -1, 0)
    usable = (predicted > 0) & (reference > 0)
    lengths = np.maximum(usable.sum(axis=-1), 1)
    precision, recall = (
        np.divide(matched, total, out=np.zeros_like(matched), where=usable).sum(axis=-1) / lengths
        for total in (predicted, reference)
    )
    weighted = 4 * precision + recall
    score: Floats = np.divide(
        500 * precision * recall, weighted, out=np.zeros_like(weighted), where=weighted > 0
    )
    return score


SCORE_FROM_COUNTS: dict[str, Callable[[Floats], Floats]] = {"bleu": _bleu, "chrf": _chrf}
"""Text metric -> function of summed `text_counts`, (..., number of counts), that returns scores, (...)."""


def recorded_tokenization(signatures: Mapping[str, str]) -> Tokenization:
    """Return how a recorded BLEU split texts.

    Args:
        signatures: metric -> signature, as a result records them.
    """
    return "13a" if "tok:13a" in signatures.get("bleu", "").split("|") else "none"


def bleu_is_defined(references: Sequence[Sequence[str]], tokenize: Tokenization = "none") -> bool:
    """Return whether BLEU is defined for predictions of these references.

    BLEU is 0 if no prediction has four tokens, even a perfect one. So there must be an example with only
    references of four tokens or more.

    Args:
        references: the reference targets of each example.
        tokenize: how BLEU splits texts.
    """
    split = _tokenizer(tokenize)
    return any(all(len(split(text)) >= BLEU_LENGTHS for text in texts) for texts in references)


def _tokenizer(tokenize: Tokenization) -> Callable[[str], list[str]]:
    if tokenize == "none":
        return str.split
    from sacrebleu.metrics import BLEU

    tokenizer = BLEU(tokenize=tokenize).tokenizer
    return lambda text: tokenizer(text).split()
