"""What training makes small: cross-entropy for tokens, squared error for numbers; and what the decoder reads.

Teacher forcing: at each position the decoder is given the right value of the position before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from job.problems.base import Problem


@dataclass(frozen=True)
class Objective:
    """One way to train.

    Args:
        decoder_input: (source, target) -> what the decoder reads, of the target's shape and dtype.
        sums: (outputs, target) -> sums over a batch by name, float32 scalars: `loss`, `tokens` (target
            positions that count), `rows`, and for tokens what `masked_loss` says more.
        statistics: the names that `sums` gives.
    """

    decoder_input: Callable[[Any, Any], Any]
    sums: Callable[[Any, Any], dict[str, Any]]
    statistics: tuple[str, ...]


def objective(problem: Problem) -> Objective:
    """Return what a problem's targets call for."""
    if problem.target_kind == "numbers":
        return Objective(lagged, squared_error, ("loss", "tokens", "rows"))
    start, unknown = problem.target_vocabulary.start, problem.target_vocabulary.unknown
    statistics = ("loss", "tokens", "correct_tokens", "rows", "correct_rows")
    return Objective(
        lambda _, target: shifted(target, start),
        lambda logits, target: masked_loss(logits, target, unknown),
        statistics,
    )


# --- tokens -------------------------------------------------------------------------------------------------


def masked_loss(logits: Any, target: Any, unknown: int | None = None) -> dict[str, Any]:
    """Return sums over a batch: cross-entropy, and what the likeliest symbols get right.

    Args:
        logits: (B, T, V) float32.
        target: (B, T) int32; positions that hold 0 (padding) do not count.
        unknown: the id of tokens that the vocabulary lacks, which no prediction can be right about.

    Returns:
        scalars: loss (summed, in nats), tokens, correct_tokens, rows, correct_rows. A row is correct when
        all its symbols are the likeliest given the right ones before: greedy decoding would find it.
    """
    weights = tf.cast(tf.not_equal(target, 0), logits.dtype)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(target, logits)
    right = tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), target)
    if unknown is not None:
        right &= tf.not_equal(target, unknown)
    hit = tf.cast(right, logits.dtype)
    return {
        "loss": tf.reduce_sum(losses * weights),
        "tokens": tf.reduce_sum(weights),
        "correct_tokens": tf.reduce_sum(hit * weights),
        "rows": tf.cast(tf.shape(target)[0], logits.dtype),
        "correct_rows": tf.reduce_sum(tf.reduce_min(tf.maximum(hit, 1 - weights), axis=1)),
    }


def shifted(target: Any, start: int) -> Any:
    """Return the decoder's input: the target (B, T) moved right by one, the start id first."""
    first = tf.fill([tf.shape(target)[0], 1], tf.constant(start, target.dtype))
    return tf.concat([first, target[:, :-1]], axis=1)


# --- numbers ------------------------------------------------------------------------------------------------


def squared_error(predicted: Any, target: Any) -> dict[str, Any]:
    """Return sums over a batch.

    Args:
        predicted: (B, T, 1) float32.
        target: (B, T, 1) float32; positions that hold NaN do not count.

    Returns:
        scalars: loss (squared errors, summed), tokens (how many numbers count), rows.
    """
    counts = ~tf.math.is_nan(target)
    # Chosen before and after: NaN times 0 is NaN, in a gradient too.
    errors = tf.where(counts, predicted - tf.where(counts, target, 0.0), 0.0)
    return {
        "loss": tf.reduce_sum(tf.square(errors)),
        "tokens": tf.reduce_sum(tf.cast(counts, predicted.dtype)),
        "rows": tf.cast(tf.shape(target)[0], predicted.dtype),
    }


def lagged(source: Any, target: Any) -> Any:
    """Return the decoder's input: the target (B, T, 1) moved right by one, the source's last value first.

    Args:
        source: (B, S, F) float32, whose first column is the one that is forecast.
        target: (B, T, 1) float32; NaN enters as 0.
    """
    known = tf.where(tf.math.is_nan(target), 0.0, target)
    return tf.concat([source[:, -1:, :1], known[:, :-1]], axis=1)
