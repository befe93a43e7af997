"""Greedy search: the likeliest symbol at every step."""

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
    """Decode a whole batch; stops when every row has ended. Meant to be called inside a `tf.function`.

    Args:
        step: the model, one symbol at a time.
        states: before the first symbol.
        rows: N, an int or a scalar tensor.
        start: id fed first.
        end: id that ends a row; None to decode exactly `max_length` symbols.
        max_length: most symbols of a row, the end id included.
        limits: (N,) int32, a lower bound of its own for each row; None for none.

    Returns:
        (N, max_length) int32: each row's symbols, 0 after the end id.
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
        tf.zeros([max_length, rows], tf.int32),
    )
    return tf.transpose(tf.while_loop(unfinished, body, begin)[-1])
