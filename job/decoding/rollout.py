"""Free-running forecast: each predicted number is the input of the next step."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from job.decoding.step import Step


def rollout(step: Step, states: Any, *, first: Any, length: int) -> Any:
    """Forecast `length` numbers for each row of a batch.

    Call it inside a `tf.function`.

    Args:
        step: Step function of the model, for numbers instead of symbols: (values (N,) float32, states) ->
            (values (N,) float32, next states).
        states: States before the first number, a nest of tensors whose first axis has length N.
        first: Input of the first step, (N,) float32: the last known value of each row.
        length: Number of predicted values T.

    Returns:
        The predicted values, (N, T) float32.
    """

    def body(t: Any, values: Any, states: Any, out: Any) -> tuple[Any, ...]:
        values, states = step(values, states)
        return t + 1, values, states, out.write(t, values)

    out = tf.TensorArray(tf.float32, length, element_shape=first.shape)
    begin = (tf.constant(0), first, states, out)
    return tf.transpose(tf.while_loop(lambda t, *_: t < length, body, begin)[-1].stack())
