"""Loops over the time steps of a batch, unrolled where the number of steps is small and known.

The recurrent layers and the attention decoder use them. An unrolled loop costs tracing time but has less
overhead at each step than a `tf.while_loop`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

UNROLL_LIMIT = 32
"""Maximum static length that is unrolled: for longer loops tracing costs more than it saves."""


class _Steps:
    """Counterpart of `tf.TensorArray` for an unrolled loop: one tensor for each step."""

    def __init__(self) -> None:
        self._steps: dict[int, Any] = {}

    def write(self, t: int, value: Any) -> _Steps:
        self._steps[t] = value
        return self

    def read(self, t: int) -> Any:
        return self._steps[t]

    def stack(self) -> Any:
        return tf.stack([self._steps[t] for t in range(len(self._steps))])


def is_unrolled(time_major: Any) -> bool:
    """Return whether loops over the first axis of a tensor are unrolled."""
    length = time_major.shape[0]
    return length is not None and length <= UNROLL_LIMIT


def empty(like: Any, count: int) -> tuple[Any, ...]:
    """Return `count` empty arrays with one entry for each step of `like`, a time-major tensor."""
    if is_unrolled(like):
        return tuple(_Steps() for _ in range(count))
    size = tf.shape(like)[0]
    return tuple(tf.TensorArray(like.dtype, size, element_shape=[None, None]) for _ in range(count))


def filled(time_major: Any) -> Any:
    """Return an array that holds the steps of a time-major tensor."""
    if not is_unrolled(time_major):
        return tf.TensorArray(time_major.dtype, tf.shape(time_major)[0]).unstack(time_major)
    steps = _Steps()
    for t, step in enumerate(tf.unstack(time_major)):
        steps.write(t, step)
    return steps


def loop(like: Any, body: Callable[..., tuple[Any, ...]], carry: tuple[Any, ...]) -> tuple[Any, ...]:
    """Run `carry = body(t, *carry)` for each step t of `like`, a time-major tensor; return the last carry."""
    if is_unrolled(like):
        for t in range(like.shape[0]):
            carry = body(t, *carry)
        return carry
    length = tf.shape(like)[0]
    return tuple(
        tf.while_loop(
            lambda t, *_: t < length, lambda t, *c: (t + 1, *body(t, *c)), (tf.constant(0), *carry)
        )[1:]
    )
