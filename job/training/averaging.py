"""An exponential moving average of a model's weights over the steps of its training."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import TrainingSpec


def weight_average(variables: list[Any], spec: TrainingSpec) -> WeightAverage | None:
    """Return the average of trainable Keras variables that the spec's `training.average` asks for, if any."""
    match spec.average:
        case "none" | "best":
            return None
        case "ema":
            return WeightAverage(variables, spec.ema_decay)
        case unknown:
            no_implementation("training.average", unknown)


class WeightAverage:
    """The average e of weights w: after each step, e = decay * e + (1 - decay) * w, from e = 0.

    As in Adam (Kingma and Ba 2015, section 3) the average is divided by 1 - decay^t after step t, so that it
    does not lean towards 0 while there are few steps.

    Args:
        variables: the averaged Keras variables.
        decay: share of the average that a step keeps, above 0 and below 1.
    """

    def __init__(self, variables: list[Any], decay: float) -> None:
        self._weights = [v.value for v in variables]
        self._decay = decay
        self.variables = [tf.Variable(tf.zeros_like(v)) for v in self._weights]

    def update(self) -> None:
        """Add the present weights to the average; call it once after each step, on every replica."""
        for average, weight in zip(self.variables, self._weights, strict=True):
            change = (1.0 - self._decay) * (average - weight)
            tf.raw_ops.AssignSubVariableOp(resource=average.handle, value=change)

    def assign(self, step: Any) -> list[Any]:
        """Set the weights to their average, and return their values before.

        Args:
            step: number of steps taken, an integer scalar; with 0 the weights stay.

        Returns:
            the weights before, one tensor for each variable, for `restore`.
        """
        before = [tf.identity(weight) for weight in self._weights]
        # 1 - decay^step, exactly also for a decay near 1, which float32 would round
        scale = -tf.math.expm1(tf.cast(step, tf.float32) * math.log(self._decay))
        with tf.control_dependencies(before):
            for weight, average in zip(self._weights, self.variables, strict=True):
                # no step was taken where loss scaling skipped them all
                weight.assign(tf.where(step > 0, tf.math.divide_no_nan(average, scale), weight))
        return before

    def restore(self, before: list[Any]) -> None:
        """Restore the weights that `assign` returned."""
        for weight, value in zip(self._weights, before, strict=True):
            weight.assign(value)
