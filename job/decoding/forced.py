"""Teacher forcing: the log-probability of given targets, and what attention sees while they are decoded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from job.decoding.step import Step


def forced(
    step: Step, states: Any, *, targets: Any, start: int, attended: Callable[[Any], Any] | None = None
) -> tuple[Any, Any]:
    """Compute the log-probability of targets: each step gets the symbol of the target before it.

    Call it inside a `tf.function`. The steps and the order of the sum are those of greedy search, so the
    target that greedy search finds has the score that greedy search returns.

    Args:
        step: Step function of the model; see `job.decoding.step.Step`.
        states: States before the first symbol, a nest of tensors whose first axis has length N.
        targets: Symbols of each row, (N, T) int32; 0 after the end of a row, which must not contain it
            before.
        start: Id of the first input symbol.
        attended: Function that returns the attention weights of a step, (N, S), from the states after it;
            None for a model without attention.

    Returns:
        The log-probability of each row, (N,) float32, and the attention weights of each symbol, (N, T, S)
        float32; S is 0 without attention.
    """
    rows, length = tf.shape(targets)[0], tf.shape(targets)[1]
    columns = tf.transpose(targets)

    def body(t: Any, symbols: Any, totals: Any, states: Any, seen: Any) -> tuple[Any, ...]:
        logits, states = step(symbols, states)
        symbols = columns[t]
        logs = tf.gather(tf.nn.log_softmax(logits), symbols, batch_dims=1)
        totals += tf.where(tf.equal(symbols, 0), 0.0, logs)
        weights = tf.zeros([rows, 0]) if attended is None else attended(states)
        return t + 1, symbols, totals, states, seen.write(t, weights)

    seen = tf.TensorArray(tf.float32, length, element_shape=[None, None])
    begin = (
        tf.constant(0),
        tf.fill([rows], tf.constant(start, tf.int32)),
        tf.zeros([rows]),
        states,
        seen,
    )
    _, _, totals, _, seen = tf.while_loop(lambda t, *_: t < length, body, begin)
    return totals, tf.transpose(seen.stack(), [1, 0, 2])
