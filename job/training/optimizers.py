"""Optimizers: one fused operation of TensorFlow for each variable and step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import tensorflow as tf

from job.spec.training_section import OptimizerSpec
from job.training.schedules import learning_rate


class Optimizer(ABC):
    """An optimizer with clipping by the global norm, a learning rate schedule and decoupled weight decay.

    Weight decay is that of Loshchilov and Hutter 2019, algorithm 2: each step subtracts the learning rate
    times `weight_decay` times the weight, apart from the gradient. It applies to matrices (rank 2 and above),
    not to biases or the gains of normalization layers.

    Args:
        variables: trainable Keras variables.
        spec: the spec's `training.optimizer`.
        total: number of steps of the whole training, for the schedule.
    """

    slots: int
    """Number of state variables for each trained variable."""

    def __init__(self, variables: list[Any], spec: OptimizerSpec, total: int) -> None:
        self._variables = [v.value for v in variables]
        self._spec, self._total = spec, total
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.reductions = tf.Variable(0.0, name="reductions")
        self.states = [[tf.Variable(tf.zeros_like(v)) for v in self._variables] for _ in range(self.slots)]

    @property
    def variables(self) -> list[Any]:
        """The optimizer's state: step, reductions of the learning rate, slots; all zero at first."""
        return [self.step, self.reductions, *(v for slot in self.states for v in slot)]

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
        rate = learning_rate(self._spec, tf.cast(self.step, tf.float32), self._total, self.reductions)
        self.step.assign_add(1)
        count = tf.cast(self.step, tf.float32)
        for variable, gradient, *states in zip(self._variables, gradients, *self.states, strict=True):
            if self._spec.weight_decay and len(variable.shape) > 1:
                decay = rate * self._spec.weight_decay * variable
                tf.raw_ops.AssignSubVariableOp(resource=variable.handle, value=decay)
            self._update(variable, gradient, states, rate, count)
        return norm, rate

    @abstractmethod
    def _update(self, variable: Any, gradient: Any, states: list[Any], rate: Any, count: Any) -> None:
        """Update one variable.

        Args:
            variable: a `tf.Variable`.
            gradient: a dense tensor of its shape.
            states: its slots.
            rate: learning rate, a float32 scalar.
            count: number of this step, from 1, a float32 scalar.
        """


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1). Epsilon is 1e-7, as in Keras. The slots are the two moments."""

    slots = 2

    def _update(self, variable: Any, gradient: Any, states: list[Any], rate: Any, count: Any) -> None:
        moment, square = states
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle, m=moment.handle, v=square.handle, grad=gradient, lr=rate,
            beta1=0.9, beta2=0.999, epsilon=1e-7,
            beta1_power=tf.pow(0.9, count), beta2_power=tf.pow(0.999, count),
        )  # fmt: skip


class AdamW(Adam):
    """Adam with weight decay (Loshchilov and Hutter 2019, algorithm 2); `Optimizer` subtracts it."""


class Adadelta(Optimizer):
    """Adadelta (Zeiler 2012, algorithm 1), with a learning rate. Rho is 0.95 and epsilon 1e-7, as in Keras.

    The slots are the accumulated squares of the gradients and of the updates.
    """

    slots = 2

    def _update(self, variable: Any, gradient: Any, states: list[Any], rate: Any, count: Any) -> None:
        squares, updates = states
        tf.raw_ops.ResourceApplyAdadelta(
            var=variable.handle, accum=squares.handle, accum_update=updates.handle,
            lr=rate, rho=0.95, epsilon=1e-7, grad=gradient,
        )  # fmt: skip


class Momentum(Optimizer):
    """Stochastic gradient descent with momentum (Polyak 1964; Sutskever et al. 2013, equations 1 and 2).

    The velocity, which is the slot, is `momentum` times itself plus the gradient; a step subtracts the
    learning rate times the velocity.
    """

    slots = 1

    def _update(self, variable: Any, gradient: Any, states: list[Any], rate: Any, count: Any) -> None:
        tf.raw_ops.ResourceApplyMomentum(
            var=variable.handle,
            accum=states[0].handle,
            lr=rate,
            grad=gradient,
            momentum=self._spec.momentum,
        )


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "adam": Adam,
    "adamw": AdamW,
    "adadelta": Adadelta,
    "sgd": Momentum,
}
"""`training.optimizer.name` -> the optimizer's class. The spec allows `weight_decay` for all but `adam`."""


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
