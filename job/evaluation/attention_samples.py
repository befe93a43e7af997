"""Attention weights of the first test examples, with their tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.problems.base import Examples, Ids, TokenProblem
from job.problems.unknown_ids import spelled
from job.problems.vocabulary import PAD, Vocabulary
from job.results.predictions import Prediction

Attention = Callable[[Ids, Ids], NDArray[np.float32]]
"""Sources (n, S) and predicted ids (n, T) -> attention weights, (n, T, S)."""

MAX_SAMPLES = 10
"""Number of predictions in a report; attention is recorded for these."""

MAX_TOKENS = 30
"""Number of tokens of each side whose attention is recorded, from the first: no picture shows more."""


def attention_samples(
    attention: Attention,
    problem: TokenProblem,
    test: Examples,
    predicted: Ids,
    predictions: tuple[Prediction, ...],
) -> tuple[dict[str, Any], ...]:
    """Return the attention weights of the first samples.

    Args:
        attention: the model's attention.
        problem: the source of the examples.
        test: the test set, n examples.
        predicted: predicted ids, (n, T) int32.
        predictions: the same as text.

    Returns:
        for each sample the first tokens of `source` and `predicted`, their full numbers `source_tokens` and
        `predicted_tokens`, the positions of `reserved` tokens in `predicted`, and `weights`, a row for each
        predicted token, rounded to 4 digits.
    """
    target = problem.target_vocabulary
    weights = attention(test.source[:MAX_SAMPLES], predicted[:MAX_SAMPLES])
    rows = []
    for i, sample in enumerate(weights):
        sources = _source_tokens(problem.source_vocabulary, test.source[i], predictions[i].source)
        vocabulary, spelt = spelled(target, predicted[i], sources)
        ids = _without_padding(target, spelt)
        shown = ids[:MAX_TOKENS]
        kept = sample[: len(ids), : len(sources)][:MAX_TOKENS, :MAX_TOKENS]
        rows.append(
            {
                "source": sources[:MAX_TOKENS],
                "predicted": [vocabulary.tokens[token] for token in shown],
                "source_tokens": len(sources),
                "predicted_tokens": len(ids),
                "reserved": [position for position, token in enumerate(shown) if token in target.reserved],
                "weights": kept.astype(float).round(4).tolist(),
            }
        )
    return tuple(rows)


def _source_tokens(vocabulary: Vocabulary, ids: Ids, text: str) -> list[str]:
    """Return the tokens of a source as the data has them, or as the vocabulary has them if these differ."""
    read = [int(i) for i in ids if i != PAD]
    tokens = vocabulary.model_tokens(text)
    return tokens if len(tokens) == len(read) else [vocabulary.tokens[i] for i in read]


def _without_padding(vocabulary: Vocabulary, ids: NDArray[np.integer] | Sequence[int]) -> list[int]:
    """Return predicted ids up to the end id, which is included, without padding."""
    row = [int(i) for i in ids]
    if vocabulary.end in row:
        return row[: row.index(vocabulary.end) + 1]
    while row and row[-1] == PAD:
        row.pop()
    return row
