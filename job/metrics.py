"""Scores of predicted against right targets, over token ids."""

from __future__ import annotations

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
