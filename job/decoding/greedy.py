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
) -> Any:
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

    Returns:
        The symbols of each row, (N, max_length) int32, with 0 after the end id.
    """

    def unfinished(t: Any, symbols: Any, ended: Any, *_: Any) -> Any:
        return tf.logical_and(t < max_length, tf.logical_not(tf.reduce_all(ended)))

    def body(t: Any, symbols: Any, ended: Any, states: Any, out: Any) -> tuple[Any, ...]:
        logits, states = step(symbols, states)
        symbols = tf.where(ended, 0, tf.argmax(logits, axis=-1, output_type=tf.int32))
        out = tf.tensor_scatter_nd_update(out, [[t]], symbols[None])
        if end is not None:
            ended = tf.logical_or(ended, tf.equal(symbols, end))
        if limits is not None:
            ended = tf.logical_or(ended, t + 1 >= limits)
        return t + 1, symbols, ended, states, out

    begin = (
        tf.constant(0),
        tf.fill([rows], tf.constant(start, tf.int32)),
        tf.zeros([rows], tf.bool),
        states,
        tf.zeros([max_length, rows], tf.int32),  # time-major: a step updates one contiguous row
    )
    return tf.transpose(tf.while_loop(unfinished, body, begin)[-1])
