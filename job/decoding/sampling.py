"""Sampling: at every step a random symbol, drawn from the most probable ones."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from job.decoding.step import Step

_BITS = (1 << 32) - 1
_GOLDEN = 0x9E3779B1
"""Keeps the steps of a row apart: 2^32 divided by the golden ratio."""


def sample(
    step: Step,
    states: Any,
    *,
    keys: Any,
    start: int,
    end: int | None,
    max_length: int,
    limits: Any,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
) -> tuple[Any, Any]:
    """Draw a target for each row of a batch, until every row has ended.

    Call it inside a `tf.function`. A row's target depends on its key and its logits, not on the other rows.

    Args:
        step: Step function of the model; see `job.decoding.step.Step`.
        states: States before the first symbol, a nest of tensors whose first axis has length N.
        keys: The random key of each row, (N,) int64 from 0 to 2^32 - 1; see `random_keys`.
        start: Id of the first input symbol.
        end: Id that ends a row; None to decode each row to its limit.
        max_length: Number of columns of the result.
        limits: Maximum number of symbols of each row, (N,) int32, at most `max_length`.
        temperature: Divisor of the logits.
        top_k, top_p: See `truncated`.

    Returns:
        The symbols of each row, (N, max_length) int32 with 0 after the end id, and their log-probability at
        temperature 1 and with all symbols, (N,) float32.
    """

    def unfinished(t: Any, symbols: Any, ended: Any, *_: Any) -> Any:
        return (t < max_length) & ~tf.reduce_all(ended)

    def body(t: Any, symbols: Any, ended: Any, totals: Any, states: Any, out: Any) -> tuple[Any, ...]:
        logits, states = step(symbols, states)
        weights = truncated(tf.nn.softmax(logits / temperature), top_k, top_p)
        drawn = _draw(weights, _uniform(keys + tf.cast(t, tf.int64) * _GOLDEN))
        logs = tf.gather(tf.nn.log_softmax(logits), drawn, batch_dims=1)
        totals += tf.where(ended, 0.0, logs)
        symbols = tf.where(ended, 0, drawn)
        out = tf.tensor_scatter_nd_update(out, [[t]], symbols[None])
        if end is not None:
            ended |= tf.equal(symbols, end)
        ended |= t + 1 >= limits
        return t + 1, symbols, ended, totals, states, out

    begin = _loop_start(tf.shape(keys)[0], states, start, max_length)
    *_, totals, _, out = tf.while_loop(unfinished, body, begin)
    return tf.transpose(out), totals


def _loop_start(rows: Any, states: Any, start: int, max_length: int) -> tuple[Any, ...]:
    """Return the first values of the loop of `sample`, see its `body`."""
    return (
        tf.constant(0),
        tf.fill([rows], tf.constant(start, tf.int32)),
        tf.zeros([rows], tf.bool),
        tf.zeros([rows]),
        states,
        tf.zeros([max_length, rows], tf.int32),
    )


def truncated(probabilities: Any, top_k: int | None, top_p: float | None) -> Any:
    """Set the probabilities of unlikely symbols to 0; the rest is not normalized again.

    Args:
        probabilities: (N, V) float32, with sum 1.
        top_k: Number of symbols to keep, the most probable ones (Fan et al. 2018); None for all.
        top_p: Keep the smallest set of most probable symbols whose probability is at least this (nucleus
            sampling; Holtzman et al. 2020); None for all. It applies to what `top_k` kept.
    """
    size = probabilities.shape[-1]
    if top_k is not None and (size is None or top_k < size):
        kept = tf.minimum(top_k, tf.shape(probabilities)[-1]) if size is None else top_k
        least = tf.math.top_k(probabilities, kept).values[:, -1:]
        probabilities = tf.where(probabilities >= least, probabilities, 0.0)
    if top_p is not None and top_p < 1:
        ranked = tf.sort(probabilities, direction="DESCENDING")
        wanted = top_p * tf.reduce_sum(ranked, axis=1, keepdims=True)
        before = tf.cumsum(ranked, axis=1, exclusive=True)
        least = tf.reduce_min(tf.where(before < wanted, ranked, 1.0), axis=1, keepdims=True)
        probabilities = tf.where(probabilities >= least, probabilities, 0.0)
    return probabilities


def random_keys(source: Any, seed: int) -> Any:
    """Return a random key for each source, which depends on its tokens, not on its padding, and on a seed.

    Args:
        source: (N, S) int32, with 0 as padding on the right.
        seed: From 0 to 2^32 - 1.

    Returns:
        (N,) int64, from 0 to 2^32 - 1.
    """
    ids = tf.cast(source, tf.int64)
    position = tf.range(tf.shape(ids, out_type=tf.int64)[1], dtype=tf.int64)
    mixed = tf.where(ids > 0, _mixed(_mixed(ids) + position * _GOLDEN), 0)
    total = tf.bitwise.bitwise_and(tf.reduce_sum(mixed, axis=1), _BITS)
    return _mixed(total + _mixed(tf.constant(seed, tf.int64)))


def _uniform(x: Any) -> Any:
    """Return numbers between 0 and 1, (N,) float32: a multiple of 2^-24 plus 2^-25, which is never 0 or 1."""
    bits = tf.bitwise.right_shift(_mixed(x), tf.constant(8, tf.int64))
    return (tf.cast(bits, tf.float32) + 0.5) / float(1 << 24)


def _draw(weights: Any, uniform: Any) -> Any:
    """Return the index at which the cumulative weight exceeds a share of the total, (N,) int32.

    Args:
        weights: (N, V) float32, not negative; at least one of each row is positive.
        uniform: The share, (N,) float32 from 0 to 1.
    """
    cumulative = tf.cumsum(weights, axis=1)
    wanted = uniform[:, None] * cumulative[:, -1:]
    exceeds = (cumulative > wanted) & (weights > 0)
    found = tf.argmax(exceeds, axis=1, output_type=tf.int32)
    likeliest = tf.argmax(weights, axis=1, output_type=tf.int32)  # if rounding lets nothing exceed the share
    return tf.where(tf.reduce_any(exceeds, axis=1), found, likeliest)


def _mixed(x: Any) -> Any:
    """Return the lowest 32 bits of integers, mixed so that near ones give unrelated results.

    The finalizer of a hash function with the shifts and factors that C. Wellons found to have little bias
    ("hash prospector"). All products are below 2^63.

    Args:
        x: int64, not negative.
    """
    x = tf.bitwise.bitwise_and(x, _BITS)
    for shift, factor in ((16, 0x21F0AAAD), (15, 0x735A2D97)):
        x = tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(shift, tf.int64)))
        x = tf.bitwise.bitwise_and(x * factor, _BITS)
    return tf.bitwise.bitwise_xor(x, tf.bitwise.right_shift(x, tf.constant(15, tf.int64)))
