"""Training with layers that compute in 16 bits (Micikevicius et al. 2018, Mixed Precision Training)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import Precision, TrainingSpec
from job.training.optimizers import dense_gradient

FIRST_EXPONENT = 15
"""The loss is first multiplied by 2 to the power of this."""

STEPS_UNTIL_DOUBLED = 2000
"""Number of steps with finite gradients after which the factor is doubled."""


@contextmanager
def computing_in(precision: Precision) -> Iterator[None]:
    """Build Keras layers that compute in a precision; their weights are float32."""
    match precision:
        case "float32":
            policy = "float32"
        case "bfloat16" | "float16":
            policy = f"mixed_{precision}"
        case unknown:
            no_implementation("training.precision", unknown)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def loss_scale(spec: TrainingSpec) -> LossScale | None:
    """Return the loss scaling that a precision needs: one for `float16`, whose range is too small without."""
    return LossScale() if spec.precision == "float16" else None


class LossScale:
    """A factor of the loss that keeps small gradients from becoming 0 (section 3.2 of the paper).

    A step whose gradients are not finite is skipped, and halves the factor; `STEPS_UNTIL_DOUBLED` others in a
    row double it. With a factor of 1 no step is skipped: gradients that are still not finite mean that
    training diverges.
    """

    def __init__(self) -> None:
        self._change = tf.Variable(0.0, name="scale_change")
        self._good_steps = tf.Variable(0, dtype=tf.int64, name="good_steps")

    @property
    def variables(self) -> list[Any]:
        """The state: change of the exponent and number of good steps in a row, both zero at first."""
        return [self._change, self._good_steps]

    @property
    def factor(self) -> Any:
        """The factor, a float32 scalar."""
        return tf.pow(2.0, FIRST_EXPONENT + self._change)

    def apply(self, gradients: list[Any], update: Callable[[list[Any]], tuple[Any, Any]]) -> tuple[Any, Any]:
        """Divide gradients by the factor, update with them or skip the step, and adjust the factor.

        Args:
            gradients: of the loss times the factor, one for each variable.
            update: takes gradients, updates the weights, returns the gradients' norm and the learning rate.

        Returns:
            the result of `update`; two zeros for a skipped step.
        """
        factor = self.factor
        gradients = [dense_gradient(g) / factor for g in gradients]
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
        lowest = factor <= 1.0
        result = tf.cond(
            finite | lowest, lambda: update(gradients), lambda: (tf.constant(0.0), tf.constant(0.0))
        )
        good = tf.where(finite, self._good_steps + 1, tf.zeros_like(self._good_steps))
        doubled = good >= STEPS_UNTIL_DOUBLED
        halved = ~finite & ~lowest
        change = tf.cast(doubled, tf.float32) - tf.cast(halved, tf.float32)
        tf.raw_ops.AssignAddVariableOp(resource=self._change.handle, value=change)
        good = tf.where(doubled, tf.zeros_like(good), good)
        tf.raw_ops.AssignVariableOp(resource=self._good_steps.handle, value=good)
        return result[0], result[1]
