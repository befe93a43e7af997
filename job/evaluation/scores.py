"""Metrics of token sequences and of numbers: predictions against reference targets."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein

Bools = NDArray[np.bool_]
Ids = NDArray[np.int32]
Floats = NDArray[np.float64]


def sequence_accuracy(correct: Bools) -> float:
    """Return the share of correct sequences.

    Args:
        correct: (n,) bool, n > 0.
    """
    return float(np.mean(correct))


def token_accuracy(predicted: Ids, target: Ids, unknown: int | None = None) -> float:
    """Return the share of target positions, without padding, at which the predicted token is correct.

    Args:
        predicted: (n, T') int32, 0 after a row's end.
        target: (n, T) int32, 0 after a row's end. If T' < T, the missing positions are incorrect.
        unknown: id of the unknown token, which is never correct: it stands for different tokens.
    """
    width = min(predicted.shape[1], target.shape[1])
    valid = target != 0
    right = (predicted[:, :width] == target[:, :width]) & valid[:, :width]
    if unknown is not None:
        right &= target[:, :width] != unknown
    return float(right.sum() / valid.sum())


def edit_distances(predicted: list[list[str]], references: list[list[list[str]]]) -> tuple[int, int]:
    """Return the sum of edit distances to the nearest references, and the sum of these references' lengths.

    Insertions, deletions and substitutions cost 1 each (Levenshtein 1966). Among equally near references the
    longest one counts, so that the rate does not depend on their order.

    Args:
        predicted: the tokens of n predictions.
        references: the tokens of each one's reference targets, at least one.
    """
    errors = tokens = 0
    for row, options in zip(predicted, references, strict=True):
        distance, negative_length = min((Levenshtein.distance(row, ref), -len(ref)) for ref in options)
        errors += distance
        tokens -= negative_length
    return errors, tokens


def edit_rate(predicted: list[list[str]], references: list[list[list[str]]]) -> float | None:
    """Return edit distance per reference token: the word or phoneme error rate. It can exceed 1.

    Args:
        predicted, references: see `edit_distances`.

    Returns:
        0 if there are no errors; None if there are errors but the nearest references have no tokens.
    """
    return per_token(*edit_distances(predicted, references))


def per_token(errors: float, tokens: float) -> float | None:
    """Return errors per reference token; see `edit_rate` for references without tokens."""
    if tokens == 0:
        return None if errors else 0.0
    return errors / tokens


def rmse(predicted: Floats, target: Floats) -> float:
    """Return the root of the mean squared error.

    Args:
        predicted: predictions; if one is not finite, neither is the result.
        target: reference targets of the same shape; NaN does not count.
    """
    errors, count = _errors(predicted, target)
    unit = power_of_two(errors)
    return float(np.sqrt(np.sum((errors / unit) ** 2) / count) * unit)


def mae(predicted: Floats, target: Floats) -> float:
    """Return the mean absolute error.

    Args:
        predicted, target: see `rmse`.
    """
    errors, count = _errors(predicted, target)
    return float(np.sum(np.abs(errors)) / count)


def _errors(predicted: Floats, target: Floats) -> tuple[Floats, int]:
    """Return the errors, 0 where `target` is NaN, and the number of the other targets."""
    known = ~np.isnan(target)
    with np.errstate(over="ignore", invalid="ignore"):  # then the result is not finite, which is checked
        errors: Floats = np.subtract(predicted, target, out=np.zeros(target.shape), where=known)
    return errors, int(known.sum())


def power_of_two(values: Floats) -> float:
    """Return the power of two at most as large as the largest magnitude; 1 for zeros or values not finite.

    Dividing by it is exact, and squares of the quotients neither overflow nor underflow.
    """
    largest = float(np.abs(values).max(initial=0.0))
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if math.isfinite(largest) else 1.0
