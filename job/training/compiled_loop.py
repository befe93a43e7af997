"""The compiled training loop: many steps in one `tf.function` call, fed with token ids or numbers.

A step depends only on the seed and its number: not on the number of steps in one call, nor on whether the
training was resumed in another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.problems.base import Examples, Problem, Windows, widths
from job.problems.training_batches import Batch, training_batches
from job.spec.training_section import TrainingSpec
from job.training import replicas
from job.training.averaging import weight_average
from job.training.loss_scaling import loss_scale
from job.training.objectives import sampled_input
from job.training.optimizers import OPTIMIZERS, dense_gradient
from job.training.pointer_objective import objective_of

MIN_HALVED_ROWS = 64
"""Smallest batch size that is computed in two halves, on a CPU and for fixed lengths.

Smaller matrix products are slow. With varying lengths, running the loop twice would cost more time (a tenth)
than a second thread saves.
"""


def compile_loop(model: keras.Model, problem: Problem, spec: TrainingSpec, seed: int = 0) -> CompiledLoop:
    """Return the training loop of a model, for the devices of the `tf.distribute` strategy in scope.

    It is traced and compiled when it is first called.

    Args:
        model: made in the scope of the same strategy.
        problem: the source of its batches.
        spec: batch size, epochs and optimizer.
        seed: the job's seed, on which scheduled sampling depends.
    """
    loop = CompiledLoop(model, problem, spec)
    loop.seed.assign(seed)
    return loop


def _is_halved(problem: Problem, spec: TrainingSpec) -> bool:
    """Return whether a batch is computed in two halves, see `MIN_HALVED_ROWS`."""
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    large = spec.batch_size >= MIN_HALVED_ROWS and spec.accumulate == 1
    return problem.fixed_length and large and not on_gpu


def _size(target: Any) -> Any:
    """Return the number of positions of a batch, padding included, float32."""
    return tf.cast(tf.size(target), tf.float32)


def _attention_heads(model: keras.Model) -> int:
    """Return the largest number of heads: the second axis of queries, keys and values, (B, heads, T, D)."""
    shapes = (x.shape for layer in model.operations for x in keras.tree.flatten(layer.output))
    return max((shape[1] or 0 for shape in shapes if len(shape) == 4), default=0)


class CompiledLoop:
    """The compiled training and validation steps of one model.

    Attributes:
        widths: those of the problem, see `job.problems.base.widths`.
        heads: number of attention heads of a Transformer, 0 for other models.

    Args:
        model: the model to train, see `Models.train`.
        problem: the source of its batches.
        spec: how to train.
    """

    def __init__(self, model: keras.Model, problem: Problem, spec: TrainingSpec) -> None:
        self.model, self._spec = model, spec
        self.widths = widths(problem)
        self.heads = _attention_heads(model)
        self._total = training_batches(problem, spec).steps * spec.epochs
        trained = model.trainable_variables
        self._optimizer = OPTIMIZERS[spec.optimizer.name](trained, spec.optimizer, self._total)
        self._average = weight_average(trained, spec)
        self._scale = loss_scale(spec)
        self._halved = _is_halved(problem, spec)
        self._objective = objective_of(model, problem, spec.label_smoothing)
        self.seed = tf.Variable(0, dtype=tf.int64)
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
        return [*self.model.variables, *self._state]

    @property
    def _state(self) -> list[Any]:
        """Variables of training that are not the model's; all are zero at first."""
        parts = (self._optimizer, self._average, self._scale)
        return [variable for part in parts if part for variable in part.variables]

    def reset(self, model: keras.Model, seed: int = 0) -> None:
        """Start over: take weights and random state from a new model, and clear the optimizer.

        Args:
            model: a model of the same architecture; it is not changed.
            seed: as in `compile_loop`.
        """
        self.seed.assign(seed)
        for variable, new in zip(self.model.variables, model.variables, strict=True):
            variable.assign(new)
        for variable in self._state:
            variable.assign(tf.zeros_like(variable))

    def reduce_learning_rate(self) -> None:
        """Count a reduction of the schedule `plateau`."""
        self._optimizer.reductions.assign_add(1.0)

    @contextmanager
    def evaluated_weights(self) -> Iterator[None]:
        """Give the model the weights to evaluate, see `training.average`, and restore its own afterwards."""
        before = self._average.assign(self._optimizer.step) if self._average else []
        try:
            yield
        finally:
            if self._average:
                self._average.restore(before)

    def keep_evaluated_weights(self) -> None:
        """Give the model the weights that are evaluated; training is over."""
        if self._average:
            self._average.assign(self._optimizer.step)

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
        if self._spec.accumulate > 1:
            sums, gradients = self._accumulated(source, target)
            return self._update(sums, self._per_token(gradients, sums["tokens"], target))
        with tf.GradientTape() as tape:
            parts = [self._sums(*rows, first=first) for first, rows in self._parts(source, target)]
            sums = {k: tf.add_n([part[k] for part in parts]) for k in self._objective.statistics}
            loss = self._scaled(sums["loss"] / sums["tokens"])
        return self._update(sums, tape.gradient(loss, self.model.trainable_variables))

    def _update(self, sums: dict[str, Any], gradients: list[Any]) -> dict[str, Any]:
        """Apply gradients; return the statistics of the step, float32 scalars."""
        if self._scale:
            norm, rate = self._scale.apply(gradients, self._apply)
        else:
            norm, rate = self._apply(gradients)
        return {**sums, "gradient_norm": norm, "learning_rate": rate}

    def _apply(self, gradients: list[Any]) -> tuple[Any, Any]:
        """Update the weights and their average; return the gradients' norm and the learning rate."""
        norm, rate = self._optimizer.apply(gradients)
        if self._average:
            self._average.update()
        return norm, rate

    def _scaled(self, loss: Any) -> Any:
        """Return the loss of which gradients are computed."""
        return loss * self._scale.factor if self._scale else loss

    def _scaled_sum(self, loss: Any, target: Any) -> Any:
        """Return a summed loss of which gradients are computed, for `_per_token`.

        With loss scaling it is divided by a number near that of the tokens of the whole step, `target`, which
        is known beforehand: the scale is meant for a mean, and a sum of many would overflow.
        """
        return self._scaled(loss / _size(target)) if self._scale else loss

    def _per_token(self, gradients: list[Any], tokens: Any, target: Any) -> list[Any]:
        """Return the gradients of the mean loss from those of `_scaled_sum` and the number of tokens."""
        if self._scale:
            return [g * (_size(target) / tokens) for g in gradients]
        return [g / tokens for g in gradients]

    def _accumulated(self, source: Any, target: Any) -> tuple[dict[str, Any], list[Any]]:
        """Compute the batches of a step one after the other.

        Args:
            source, target: `accumulate` batches in one, of which the last may be smaller or missing.

        Returns:
            the objective's sums over all rows, and the gradients of the summed loss, dense.
        """
        rows, size = tf.shape(source)[0], self._spec.batch_size
        if self._spec.tokens_per_batch is not None:
            size = -(-rows // self._spec.accumulate)
        trained = self.model.trainable_variables

        def batch(first: Any, sums: dict[str, Any], gradients: list[Any]) -> tuple[Any, Any, Any]:
            with tf.GradientTape() as tape:
                part = self._sums(source[first : first + size], target[first : first + size], first=first)
                loss = self._scaled_sum(part["loss"], target)
            new = [dense_gradient(g) for g in tape.gradient(loss, trained)]
            sums = {k: sums[k] + part[k] for k in sums}
            return first + size, sums, [a + b for a, b in zip(gradients, new, strict=True)]

        nothing = {k: tf.zeros([]) for k in self._objective.statistics}
        start = (tf.constant(0), nothing, [tf.zeros(v.shape, v.dtype) for v in trained])
        _, sums, gradients = tf.while_loop(lambda first, *_: first < rows, batch, start)
        return sums, gradients

    def _parts(self, source: Any, target: Any) -> list[tuple[Any, tuple[Any, Any]]]:
        """Return a batch as one or two parts whose gradients are added: the first row's number, and the rows.

        Two threads can compute a half each; a recurrence alone gives a second thread little to do. The result
        does not depend on the number of threads: the halves are the same.
        """
        if not self._halved:
            return [(0, (source, target))]
        middle = tf.shape(source)[0] // 2
        return [
            (0, (source[:middle], target[:middle])),
            (middle, (source[middle:], target[middle:])),
        ]

    def _sums(self, source: Any, target: Any, *, first: Any = 0) -> dict[str, Any]:
        """Return the sums that training minimizes over a batch, float32 scalars.

        Args:
            source, target: the batch.
            first: number of its first row in the step.
        """
        given = self._objective.decoder_input(source, target)
        if self._spec.scheduled_sampling:
            outputs = self._objective.outputs(self.model, source, given, False)
            predicted = self._objective.predictions(outputs)
            predicted = tf.stop_gradient(self._objective.decoder_input(source, predicted))
            share = tf.cast(self._optimizer.step + 1, tf.float32) / self._total
            seed = tf.stack(
                [self.seed, self._optimizer.step * self._spec.step_examples + tf.cast(first, tf.int64)]
            )
            given = sampled_input(given, predicted, self._spec.scheduled_sampling * share, seed)
        return self._objective.smoothed(self._objective.outputs(self.model, source, given, True), target)

    def _joint_step(self, source: Any, target: Any) -> dict[str, Any]:
        """Take one step on several devices; return its statistics, float32 scalars."""
        values = self._strategy.run(self._replica_step, args=(source, target))
        return {k: self._strategy.experimental_local_results(v)[0] for k, v in values.items()}

    def _replica_step(self, source: Any, target: Any) -> dict[str, Any]:
        """Compute one replica's share of a batch, and update its copy of the variables with all gradients."""
        share, weight = replicas.own_share(source, target)
        with tf.GradientTape() as tape:
            sums = {k: weight * v for k, v in self._sums(*share).items()}
            loss = self._scaled_sum(sums["loss"], target)
        gradients = tape.gradient(loss, self.model.trainable_variables)
        dense = [dense_gradient(g) for g in gradients]
        sums, dense = replicas.total((sums, dense))
        return self._update(sums, self._per_token(dense, sums["tokens"], target))

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
                if not self._random_states and not self._average:  # training changes these at the same time
                    compiled(tf.constant(validation.source[:1]), tf.constant(validation.target[:1]))
        then()

    @property
    def _random_states(self) -> list[Any]:
        return [v for v in self.model.variables if v.path.endswith("seed_generator_state")]

    def _validate(self, source: Any, target: Any) -> dict[str, Any]:
        """Return the objective's sums over a batch, with the weights that are evaluated.

        The weights and the random state of training are restored: Keras's cells with recurrent dropout draw
        from the latter even outside training.
        """
        states = [(state, tf.identity(state)) for state in self._random_states]
        with self.evaluated_weights():
            given = self._objective.decoder_input(source, target)
            outputs = self._objective.outputs(self.model, source, given, False)
            sums = self._objective.sums(outputs, target)
        for state, before in states:
            state.assign(before)
        return sums
