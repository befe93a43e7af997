"""The optimizer and its learning rate schedule."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import OptimizerSpec


def learning_rate(spec: OptimizerSpec, step: Any, total: int) -> Any:
    """Return the learning rate of a step: a linear warm-up, then cosine decay to 0 or a constant.

    Loshchilov and Hutter 2017, SGDR, equation 5, without restarts.

    Args:
        spec: peak rate, schedule and the fraction of steps for warm-up.
        step: 0-based number of the step, a float or a float32 scalar.
        total: number of steps of the whole training.

    Returns:
        a float32 scalar.
    """
    warmup = math.ceil(spec.warmup_fraction * total)
    rising = (step + 1.0) / max(warmup, 1)
    match spec.schedule:
        case "cosine":
            falling = 0.5 * (1.0 + tf.cos(math.pi * (step - warmup) / max(total - warmup, 1)))
        case "constant":
            falling = tf.ones_like(rising)
        case unknown:
            no_implementation("training.optimizer.schedule", unknown)
    return spec.learning_rate * tf.where(step < warmup, rising, falling)


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) with one fused operation for each variable.

    Epsilon is 1e-7, as in Keras.

    Args:
        variables: trainable Keras variables.
        spec: learning rate, schedule, clipping.
        total: number of steps of the whole training, for the schedule.
    """

    def __init__(self, variables: list[Any], spec: OptimizerSpec, total: int) -> None:
        self._variables = [v.value for v in variables]
        self._spec, self._total = spec, total
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.moments = [tf.Variable(tf.zeros_like(v)) for v in self._variables]
        self.squares = [tf.Variable(tf.zeros_like(v)) for v in self._variables]

    @property
    def variables(self) -> list[Any]:
        """The optimizer's state: the step, then first and second moments."""
        return [self.step, *self.moments, *self.squares]

    def apply(self, gradients: list[Any]) -> tuple[Any, Any]:
        """Update the variables once.

        Args:
            gradients: one for each variable, dense or `tf.IndexedSlices`.

        Returns:
            the global norm of the gradients before clipping, and the learning rate: float32 scalars.
        """
        gradients = [dense_gradient(g) for g in gradients]  # the norm of repeated rows would be wrong
        norm = tf.linalg.global_norm(gradients)
        if self._spec.clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self._spec.clip_norm, use_norm=norm)
        rate = learning_rate(self._spec, tf.cast(self.step, tf.float32), self._total)
        self.step.assign_add(1)
        count = tf.cast(self.step, tf.float32)
        for v, m, s, g in zip(self._variables, self.moments, self.squares, gradients, strict=True):
            tf.raw_ops.ResourceApplyAdam(
                var=v.handle, m=m.handle, v=s.handle, grad=g, lr=rate,
                beta1=0.9, beta2=0.999, epsilon=1e-7,
                beta1_power=tf.pow(0.9, count), beta2_power=tf.pow(0.999, count),
            )  # fmt: skip
        return norm, rate


OPTIMIZERS = {"adam": Adam}
"""`training.optimizer.name` -> the optimizer's class."""


def dense_gradient(gradient: Any) -> Any:
    """Return a gradient as a dense tensor.

    Rows with the same index are summed as whole rows: five times as fast as TensorFlow's own conversion of
    `tf.IndexedSlices`, which adds number by number.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    order = tf.argsort(gradient.indices)
    rows = tf.cast(gradient.dense_shape[0], tf.int32)
    ids = tf.gather(gradient.indices, order)
    return tf.sparse.segment_sum(gradient.values, order, ids, num_segments=rows)
