"""Greedy search: the likeliest symbol at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Step = Callable[[Any, Any], tuple[Any, Any]]
"""(symbols (N,) int32, states) -> (logits (N, V) float32, next states). States are any nest of tensors whose
first axis is N."""


def greedy(step: Step, states: Any, *, rows: Any, start: int, end: int | None, max_length: int) -> Any:
    """Decode a whole batch; stops when every row has ended. Meant to be called inside a `tf.function`.

    Args:
        step: the model, one symbol at a time.
        states: before the first symbol.
        rows: N, an int or a scalar tensor.
        start: id fed first.
        end: id that ends a row; None to decode exactly `max_length` symbols.
        max_length: most symbols of a row, the end id included.

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
        return t + 1, symbols, ended, states, out

    begin = (
        tf.constant(0),
        tf.fill([rows], tf.constant(start, tf.int32)),
        tf.zeros([rows], tf.bool),
        states,
        tf.zeros([max_length, rows], tf.int32),
    )
    return tf.transpose(tf.while_loop(unfinished, body, begin)[-1])
