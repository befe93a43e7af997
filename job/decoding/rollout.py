"""Numbers, one after the other: each prediction is what the next one is made from."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from job.decoding.step import Step


def rollout(step: Step, states: Any, *, first: Any, length: int) -> Any:
    """Let a model run free over a whole batch. Meant to be called inside a `tf.function`.

    Args:
        step: the model, one number at a time: (values (N,) float32, states) -> (values (N,) float32, next
            states), where states are any nest of tensors whose first axis is N.
        states: before the first number.
        first: (N,) float32, fed first: the last known value.
        length: T, how many numbers are predicted.

    Returns:
        (N, T) float32.
    """

    def body(t: Any, values: Any, states: Any, out: Any) -> tuple[Any, ...]:
        values, states = step(values, states)
        return t + 1, values, states, out.write(t, values)

    out = tf.TensorArray(tf.float32, length, element_shape=first.shape)
    begin = (tf.constant(0), first, states, out)
    return tf.transpose(tf.while_loop(lambda t, *_: t < length, body, begin)[-1].stack())
