"""The compiled training loop: many steps in one `tf.function` call, fed with token ids or numbers.

A step depends only on the seed and its number: not on the number of steps in one call, nor on whether the
training was resumed in another process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.problems.base import Examples, Problem, Windows
from job.spec.training_section import TrainingSpec
from job.training import replicas
from job.training.batch_groups import Batch
from job.training.objectives import objective
from job.training.optimizers import OPTIMIZERS, Adam, dense_gradient

MIN_HALVED_ROWS = 64
"""Smallest batch size that is computed in two halves, on a CPU and for fixed lengths.

Smaller matrix products are slow, and loops over varying lengths would cost more twice (a tenth) than a second
thread gains.
"""


def steps_per_epoch(problem: Problem, spec: TrainingSpec) -> int:
    """Return the number of batches of an epoch."""
    return math.ceil(problem.examples_per_epoch(spec.examples) / spec.batch_size)


def compile_loop(model: keras.Model, problem: Problem, spec: TrainingSpec) -> CompiledLoop:
    """Return the training loop of a model, for the devices of the `tf.distribute` strategy in scope.

    It is traced and compiled when it is first called.

    Args:
        model: made in the scope of the same strategy.
        problem: the source of its batches.
        spec: batch size, epochs and optimizer.
    """
    total = steps_per_epoch(problem, spec) * spec.epochs
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    halved = problem.fixed_length and spec.batch_size >= MIN_HALVED_ROWS and not on_gpu
    optimizer = OPTIMIZERS[spec.optimizer.name](model.trainable_variables, spec.optimizer, total)
    return CompiledLoop(model, problem, optimizer, halved=halved)


class CompiledLoop:
    """The compiled training and validation steps of one model.

    Args:
        model: the model to train, see `Models.train`.
        problem: the source of its batches.
        optimizer: the optimizer of its variables.
        halved: whether to compute a batch in two halves, see `MIN_HALVED_ROWS`.
    """

    def __init__(self, model: keras.Model, problem: Problem, optimizer: Adam, *, halved: bool) -> None:
        self.model, self._optimizer, self._halved = model, optimizer, halved
        self._objective = objective(problem)
        self._strategy = tf.distribute.get_strategy()
        self._step = self._one_step if self._strategy.num_replicas_in_sync == 1 else self._joint_step
        self.statistics = (*self._objective.statistics, "gradient_norm", "learning_rate")
        sides = problem.batch(0, 0, 1, 1)
        # recurrent kernels can unroll static lengths
        lengths = [side.shape[1] if problem.fixed_length else None for side in sides]
        self.train = tf.function(
            self._train,
            input_signature=[
                tf.TensorSpec([None, None, length, *side.shape[2:]], side.dtype)
                for length, side in zip(lengths, sides, strict=True)
            ],
            autograph=False,  # not needed here, and it would take as long as the rest of tracing
        )
        self.validate = tf.function(
            self._validate,
            input_signature=[tf.TensorSpec([None, None, *side.shape[2:]], side.dtype) for side in sides],
            autograph=False,
        )

    @property
    def variables(self) -> list[Any]:
        """All variables that a step changes."""
        return [*self.model.variables, *self._optimizer.variables]

    def reset(self, model: keras.Model) -> None:
        """Start over: take weights and random state from a new model, and clear the optimizer.

        Args:
            model: a model of the same architecture; it is not changed.
        """
        for variable, new in zip(self.model.variables, model.variables, strict=True):
            variable.assign(new)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable))

    def train_batches(self, batches: Sequence[Batch]) -> dict[str, NDArray[np.float64]]:
        """Take one step for each batch; stop after a loss or a gradient norm that is not finite.

        Args:
            batches: n batches of one shape.

        Returns:
            statistic -> values of the steps, (n,) float64; 0 for steps that were not taken.
        """
        sides = zip(*batches, strict=True)
        values = self.train(*(tf.constant(np.stack(side)) for side in sides))
        return {name: value.numpy().astype(np.float64) for name, value in values.items()}

    def _train(self, sources: Any, targets: Any) -> dict[str, Any]:
        """Compute `train_batches`.

        Args:
            sources: n batches, (n, B, S, ...).
            targets: n batches, (n, B, T, ...).

        Returns:
            statistic -> values of the steps, (n,) float32.
        """
        count = tf.shape(sources)[0]

        def body(i: Any, _: Any, arrays: Any) -> Any:
            values = self._step(sources[i], targets[i])
            finite = tf.math.is_finite(values["loss"]) & tf.math.is_finite(values["gradient_norm"])
            return i + 1, finite, {k: a.write(i, values[k]) for k, a in arrays.items()}

        empty = {k: tf.TensorArray(tf.float32, count, element_shape=[]) for k in self.statistics}
        begin = (tf.constant(0), tf.constant(True), empty)
        arrays = tf.while_loop(lambda i, ok, _: (i < count) & ok, body, begin)[2]
        return {k: array.stack() for k, array in arrays.items()}

    def _one_step(self, source: Any, target: Any) -> dict[str, Any]:
        """Take one step on one device; return its statistics, float32 scalars."""
        with tf.GradientTape() as tape:
            parts = [self._sums(*part) for part in self._parts(source, target)]
            sums = {k: tf.add_n([part[k] for part in parts]) for k in self._objective.statistics}
            loss = sums["loss"] / sums["tokens"]
        gradients = tape.gradient(loss, self.model.trainable_variables)
        norm, rate = self._optimizer.apply(gradients)
        return {**sums, "gradient_norm": norm, "learning_rate": rate}

    def _parts(self, source: Any, target: Any) -> list[tuple[Any, Any]]:
        """Return a batch as one or two parts whose gradients are added.

        Two threads can compute a half each; a recurrence alone gives a second thread little to do. The result
        does not depend on the number of threads: the halves are the same.
        """
        if not self._halved:
            return [(source, target)]
        middle = tf.shape(source)[0] // 2
        return [(source[:middle], target[:middle]), (source[middle:], target[middle:])]

    def _sums(self, source: Any, target: Any, *, training: bool = True) -> dict[str, Any]:
        """Return the objective's sums over a batch, float32 scalars."""
        outputs = self.model([source, self._objective.decoder_input(source, target)], training=training)
        return self._objective.sums(outputs, target)

    def _joint_step(self, source: Any, target: Any) -> dict[str, Any]:
        """Take one step on several devices; return its statistics, float32 scalars."""
        values = self._strategy.run(self._replica_step, args=(source, target))
        return {k: self._strategy.experimental_local_results(v)[0] for k, v in values.items()}

    def _replica_step(self, source: Any, target: Any) -> dict[str, Any]:
        """Compute one replica's share of a batch, and update its copy of the variables with all gradients."""
        (source, target), weight = replicas.own_share(source, target)
        with tf.GradientTape() as tape:
            sums = {k: weight * v for k, v in self._sums(source, target).items()}
        gradients = tape.gradient(sums["loss"], self.model.trainable_variables)
        dense = [dense_gradient(g) for g in gradients]
        sums, dense = replicas.total((sums, dense))
        norm, rate = self._optimizer.apply([g / sums["tokens"] for g in dense])
        return {**sums, "gradient_norm": norm, "learning_rate": rate}

    def compile_validation(self, validation: Examples | Windows, then: Callable[[], object]) -> None:
        """Compile validation with its first example; safe in a thread beside compiled training.

        Does nothing in eager mode, where training would share the layers' state with this.

        Args:
            validation: the validation examples; may be empty.
            then: called afterwards.
        """
        if tf.config.functions_run_eagerly():
            return
        with self._strategy.scope():
            if len(validation):
                compiled = self.validate.get_concrete_function()
                if not self._random_states:  # training changes these at the same time
                    compiled(tf.constant(validation.source[:1]), tf.constant(validation.target[:1]))
        then()

    @property
    def _random_states(self) -> list[Any]:
        return [v for v in self.model.variables if v.path.endswith("seed_generator_state")]

    def _validate(self, source: Any, target: Any) -> dict[str, Any]:
        """Return the objective's sums over a batch; restore the random state of training afterwards.

        Keras's cells with recurrent dropout draw from it even outside training.
        """
        states = [(state, tf.identity(state)) for state in self._random_states]
        sums = self._sums(source, target, training=False)
        for state, before in states:
            state.assign(before)
        return sums
