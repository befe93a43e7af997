"""Greedy search: the most probable symbol at every step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from job.decoding.step import Step


def greedy(
    step: Step,
    states: Any,
    *,
    rows: Any,
    start: int,
    end: int | None,
    max_length: int,
    limits: Any = None,
    scored: bool = False,
) -> tuple[Any, Any]:
    """Decode a batch by greedy search, until every row has ended.

    Call it inside a `tf.function`.

    Args:
        step: Step function of the model; see `job.decoding.step.Step`.
        states: States before the first symbol, a nest of tensors whose first axis has length N.
        rows: Number of rows N, an int or a scalar tensor.
        start: Id of the first input symbol.
        end: Id that ends a row; None to decode each row to its maximum length.
        max_length: Maximum number of symbols of a row, the end id included.
        limits: Maximum number of symbols of each row, (N,) int32, where it is less than `max_length`.
        scored: Whether to compute log-probabilities, which takes time and does not affect the symbols.

    Returns:
        The symbols of each row, (N, max_length) int32, with 0 after the end id, and the sum of the
        log-probabilities of its symbols, the end id included, (N,) float32; NaN if not `scored`.
    """

    def unfinished(t: Any, symbols: Any, ended: Any, *_: Any) -> Any:
        return tf.logical_and(t < max_length, tf.logical_not(tf.reduce_all(ended)))

    def body(t: Any, symbols: Any, ended: Any, totals: Any, states: Any, out: Any) -> tuple[Any, ...]:
        logits, states = step(symbols, states)
        best = tf.argmax(logits, axis=-1, output_type=tf.int32)
        if scored:
            logs = tf.gather(tf.nn.log_softmax(logits), best, batch_dims=1)
            totals += tf.where(ended, 0.0, logs)
        symbols = tf.where(ended, 0, best)
        out = tf.tensor_scatter_nd_update(out, [[t]], symbols[None])
        if end is not None:
            ended = tf.logical_or(ended, tf.equal(symbols, end))
        if limits is not None:
            ended = tf.logical_or(ended, t + 1 >= limits)
        return t + 1, symbols, ended, totals, states, out

    begin = (
        tf.constant(0),
        tf.fill([rows], tf.constant(start, tf.int32)),
        tf.zeros([rows], tf.bool),
        tf.fill([rows], 0.0 if scored else float("nan")),
        states,
        tf.zeros([max_length, rows], tf.int32),  # time-major: a step updates one contiguous row
    )
    *_, totals, _, out = tf.while_loop(unfinished, body, begin)
    return tf.transpose(out), totals
