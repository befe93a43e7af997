"""Fit one model: teacher forcing, Adam, a schedule, early stopping, validation after each epoch.

The loop is a `tf.function` over many steps, fed with token ids. What happens at a step depends on the seed
and the step's number alone, never on how many steps one call of the function takes, nor on whether the run
was cut off and went on in another process.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.errors import NonFiniteError, no_implementation
from job.problems.base import Examples, Problem, Windows
from job.process.stopping import Stop, Stopped
from job.results.records import Progress
from job.spec.training_section import OptimizerSpec, TrainingSpec
from job.training import replicas as distribution
from job.training.checkpoints import Checkpoints
from job.training.objectives import objective
from job.training.state import HistoryRow, TrainingState, gather, restore

ROWS_PER_EPOCH = 20
"""Rows of the history in an epoch, where it has that many steps."""

CALL_SECONDS = 0.25
"""How long one call of the compiled loop should take: short enough to stop a job at once."""

MAX_CALL_STEPS = 128
VALIDATION_ROWS = 1000

HALVED = 64
"""Batches of this size or more are trained in two halves on a CPU, where lengths are fixed: fewer rows make
slow matrix products, and loops over varying lengths cost more twice (a tenth) than a second thread gains."""

_log = logging.getLogger(__name__)

Batch = tuple[NDArray[Any], NDArray[Any]]
"""A source and a target: ids (B, length) int32, or numbers (B, length, columns) float32."""


@dataclass(frozen=True)
class Fitted:
    """What training came to.

    Args:
        history: see `HistoryRow`.
        steps, examples: taken and seen.
        epochs: finished.
        stopped_early: the validation loss no longer fell.
        best_epoch: 1-based, whose weights the model holds; None without early stopping.
        compile_seconds: the first call of the compiled loop, less its share of an ordinary step.
        train_seconds: in training steps, compilation and validation excluded.
        timed_examples: seen in `train_seconds`.
        earlier_seconds: how much of this was done by a process that was cut off.
        resumed_from_step: where this process went on; None when it began from the start.
    """

    history: tuple[HistoryRow, ...]
    steps: int
    examples: int
    epochs: int
    stopped_early: bool
    best_epoch: int | None
    compile_seconds: float
    train_seconds: float
    timed_examples: int
    earlier_seconds: float = 0.0
    resumed_from_step: int | None = None


def learning_rate(spec: OptimizerSpec, step: Any, total: int) -> Any:
    """Return the rate at a 0-based step of `total`: a linear warm-up, then cosine decay to 0 or none.

    Loshchilov and Hutter 2017, equation 5, without restarts. `step` is a float or a float32 tensor.
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
    """Adam (Kingma and Ba 2015, algorithm 1) as one fused operation a variable, epsilon as Keras's 1e-7.

    Args:
        variables: trainable Keras variables.
        spec: rate, schedule, clipping.
        total: steps of the whole run, for the schedule.
    """

    def __init__(self, variables: list[Any], spec: OptimizerSpec, total: int) -> None:
        self._variables = [v.value for v in variables]
        self._spec, self._total = spec, total
        self.step = tf.Variable(0, dtype=tf.int64, name="step")
        self.moments = [tf.Variable(tf.zeros_like(v)) for v in self._variables]
        self.squares = [tf.Variable(tf.zeros_like(v)) for v in self._variables]

    @property
    def variables(self) -> list[Any]:
        """What it remembers from step to step."""
        return [self.step, *self.moments, *self.squares]

    def apply(self, gradients: list[Any]) -> tuple[Any, Any]:
        """Take one step; return the gradient's norm before clipping and the learning rate."""
        gradients = [_dense(g) for g in gradients]  # a norm over sparse rows would be wrong
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
"""The classes of optimizers, by `training.optimizer.name`."""


def _dense(gradient: Any) -> Any:
    """Return a gradient by rows (what gathering rows gives) as one tensor; any other as it is.

    Rows of one id are added up side by side: five times as fast as TensorFlow's own conversion, which adds
    number by number.
    """
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    order = tf.argsort(gradient.indices)
    rows = tf.cast(gradient.dense_shape[0], tf.int32)
    ids = tf.gather(gradient.indices, order)
    return tf.sparse.segment_sum(gradient.values, order, ids, num_segments=rows)


class Loop:
    """The compiled training and validation steps of one model.

    Args:
        model: see `Models.train`.
        problem: what it learns.
        optimizer: of its variables.
        halved: see `HALVED`.
    """

    def __init__(self, model: keras.Model, problem: Problem, optimizer: Adam, *, halved: bool) -> None:
        self.model, self._optimizer, self._halved = model, optimizer, halved
        self._objective = objective(problem)
        self._strategy = tf.distribute.get_strategy()
        self._step = self._one_step if self._strategy.num_replicas_in_sync == 1 else self._joint_step
        self.statistics = (*self._objective.statistics, "gradient_norm", "learning_rate")
        sides = problem.batch(0, 0, 1, 1)
        # static lengths let the recurrent kernels unroll
        lengths = [side.shape[1] if problem.fixed_length else None for side in sides]
        self.train = tf.function(
            self._train,
            input_signature=[
                tf.TensorSpec([None, None, length, *side.shape[2:]], side.dtype)
                for length, side in zip(lengths, sides, strict=True)
            ],
            autograph=False,  # there is nothing for it here, and it takes as long as the rest of tracing
        )
        self.validate = tf.function(
            self._validate,
            input_signature=[tf.TensorSpec([None, None, *side.shape[2:]], side.dtype) for side in sides],
            autograph=False,
        )

    @property
    def variables(self) -> list[Any]:
        """All that a step changes."""
        return [*self.model.variables, *self._optimizer.variables]

    def begin_with(self, model: keras.Model) -> None:
        """Begin anew with the weights and the random state of another model of the same kind."""
        for variable, new in zip(self.model.variables, model.variables, strict=True):
            variable.assign(new)
        for variable in self._optimizer.variables:
            variable.assign(tf.zeros_like(variable))

    def _train(self, sources: Any, targets: Any) -> dict[str, Any]:
        """Take one step for each batch (n, B, S, ...), (n, B, T, ...); stop at a loss or norm that is not
        finite.

        Returns the statistics of each step taken, (n,) float32, 0 for those not taken.
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
        with tf.GradientTape() as tape:
            parts = [self._sums(*part) for part in self._parts(source, target)]
            sums = {k: tf.add_n([part[k] for part in parts]) for k in self._objective.statistics}
            loss = sums["loss"] / sums["tokens"]
        gradients = tape.gradient(loss, self.model.trainable_variables)
        norm, rate = self._optimizer.apply(gradients)
        return {**sums, "gradient_norm": norm, "learning_rate": rate}

    def _parts(self, source: Any, target: Any) -> list[tuple[Any, Any]]:
        """Return what stands for itself until the gradients are added up: two threads take one half each.

        A recurrence leaves a second thread little to do otherwise. Whether there is one makes no difference
        to the result: the halves are the same.
        """
        if not self._halved:
            return [(source, target)]
        middle = tf.shape(source)[0] // 2
        return [(source[:middle], target[:middle]), (source[middle:], target[middle:])]

    def _sums(self, source: Any, target: Any, *, training: bool = True) -> dict[str, Any]:
        outputs = self.model([source, self._objective.decoder_input(source, target)], training=training)
        return self._objective.sums(outputs, target)

    def _joint_step(self, source: Any, target: Any) -> dict[str, Any]:
        """Do what `_one_step` does, on several devices."""
        values = self._strategy.run(self._replica_step, args=(source, target))
        return {k: self._strategy.experimental_local_results(v)[0] for k, v in values.items()}

    def _replica_step(self, source: Any, target: Any) -> dict[str, Any]:
        (source, target), weight = distribution.own_share(source, target)
        with tf.GradientTape() as tape:
            sums = {k: weight * v for k, v in self._sums(source, target).items()}
        gradients = tape.gradient(sums["loss"], self.model.trainable_variables)
        dense = [_dense(g) for g in gradients]
        sums, dense = distribution.total((sums, dense))
        norm, rate = self._optimizer.apply([g / sums["tokens"] for g in dense])
        return {**sums, "gradient_norm": norm, "learning_rate": rate}

    def prepare(self, validation: Examples | Windows, meanwhile: Callable[[], object]) -> None:
        """Compile validation by a first row of it, then do what else there is; for another thread to call.

        Compiled training does not notice; run eagerly, it would share the layers' state with this.
        """
        if tf.config.functions_run_eagerly():
            return
        with self._strategy.scope():
            if len(validation):
                compiled = self.validate.get_concrete_function()
                if not self._random_states:  # steps change those at this moment
                    compiled(tf.constant(validation.source[:1]), tf.constant(validation.target[:1]))
        meanwhile()

    @property
    def _random_states(self) -> list[Any]:
        return [v for v in self.model.variables if v.path.endswith("seed_generator_state")]

    def _validate(self, source: Any, target: Any) -> dict[str, Any]:
        """Return the objective's sums over rows, and leave the random state of training as it is.

        Keras's cells with recurrent dropout draw from it here too, for nothing.
        """
        states = [(state, tf.identity(state)) for state in self._random_states]
        sums = self._sums(source, target, training=False)
        for state, before in states:
            state.assign(before)
        return sums


def _calls(
    problem: Problem, spec: TrainingSpec, run: TrainingState, size: Callable[[], int]
) -> Iterator[list[Batch]]:
    """Yield what is left of an epoch's batches in groups of one shape, each of at most `size()` batches."""
    examples = problem.examples_per_epoch(spec.examples)
    batches = math.ceil(examples / spec.batch_size)
    group: list[Batch] = []
    for index in range(run.step - run.epochs * batches, batches):
        batch = problem.batch(run.epochs, index, spec.batch_size, examples)
        if group and (len(group) >= size() or [a.shape for a in batch] != [a.shape for a in group[0]]):
            yield group
            group = []
        group.append(batch)
    if group:
        yield group


def _mean(statistics: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """Return the loss and the accuracies that there are, by the names of the history's columns."""
    sums = {k: float(v.sum()) for k, v in statistics.items()}
    means = {"loss": sums["loss"] / sums["tokens"]}
    if "correct_tokens" in sums:
        means["token_accuracy"] = sums["correct_tokens"] / sums["tokens"]
        means["sequence_accuracy"] = sums["correct_rows"] / sums["rows"]
    return means


@dataclass(frozen=True)
class _Keeper:
    """What is kept of a run in case it is cut off.

    Args:
        checkpoints: where; None for nowhere.
        stop: whether it is to be cut off.
        variables: of the model and the optimizer.
    """

    checkpoints: Checkpoints | None
    stop: Stop
    variables: list[Any]

    def resume(self) -> TrainingState | None:
        """Go back to the last checkpoint there is; None where there is none."""
        for checkpoint in self.checkpoints.found() if self.checkpoints else ():
            try:
                return restore(checkpoint, self.variables)
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("the checkpoint of step %s is passed over: %s", checkpoint.step, error)
        return None

    def keep(self, run: TrainingState, *, epoch_ended: bool = False) -> None:
        """Write a checkpoint if it is time to; raise `Stopped` when asked to stop."""
        asked = self.stop.request
        if self.checkpoints and (asked or run.over or self.checkpoints.due(epoch_ended=epoch_ended)):
            self.checkpoints.save(gather(run, self.variables))
        if asked:
            raise Stopped(asked)


def compile_loop(model: keras.Model, problem: Problem, spec: TrainingSpec) -> Loop:
    """Return what `fit` runs, for the devices of the `tf.distribute` strategy in force, in whose scope the
    model was made. Nothing is compiled before it is called."""
    total = _steps_per_epoch(problem, spec) * spec.epochs
    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    halved = problem.fixed_length and spec.batch_size >= HALVED and not on_gpu
    optimizer = OPTIMIZERS[spec.optimizer.name](model.trainable_variables, spec.optimizer, total)
    return Loop(model, problem, optimizer, halved=halved)


def _steps_per_epoch(problem: Problem, spec: TrainingSpec) -> int:
    return math.ceil(problem.examples_per_epoch(spec.examples) / spec.batch_size)


def fit(
    loop: Loop,
    problem: Problem,
    spec: TrainingSpec,
    validation: Examples | Windows,
    watch: Callable[[Progress], None] = lambda _: None,
    *,
    checkpoints: Checkpoints | None = None,
    stop: Stop | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> Fitted:
    """Fit a model to `problem`, on all devices of the `tf.distribute` strategy in force.

    Args:
        loop: the model's; it is trained in place, and with early stopping ends with the best epoch's weights.
        problem: gives the batches.
        spec: how; the loop was made for it.
        validation: looked at after each epoch; may be empty without early stopping.
        watch: called after each call of the compiled loop.
        checkpoints: where to go on from, and what to write; None for neither.
        stop: looked at after each call of the compiled loop.
        meanwhile: called once, in a thread, while steps run: they need no Python, and compiling does.

    Raises:
        NonFiniteError: the loss, the gradient norm or the validation loss is not finite; names the step.
        Stopped: it was asked to stop; a checkpoint is written.
        OSError: a checkpoint cannot be written.
    """
    steps_per_epoch = _steps_per_epoch(problem, spec)
    keeper = _Keeper(checkpoints, stop or Stop(), loop.variables)
    run = keeper.resume() or TrainingState({k: np.zeros(0) for k in loop.statistics})
    before = (run.seconds, run.step) if run.step else (0.0, None)
    interval = max(1, steps_per_epoch // ROWS_PER_EPOCH)
    with keeper.stop.noting(), ThreadPoolExecutor(1) as thread:
        preparing = None
        while not run.over:
            for group in _calls(problem, spec, run, lambda: _call_steps(run)):
                _take(loop, run, group)
                preparing = preparing or thread.submit(loop.prepare, validation, meanwhile)
                _record(run, interval, steps_per_epoch)
                watch(_progress(run, steps_per_epoch * spec.epochs, spec.batch_size))
                keeper.keep(run)
            scores = validate(loop.validate, validation, lambda: keeper.keep(run))
            if not all(map(math.isfinite, scores.values())):
                raise NonFiniteError(run.step, "validation loss")
            _end_epoch(loop.model, run, spec, scores)
            keeper.keep(run, epoch_ended=True)
        if preparing:
            preparing.result()
    if run.best_weights is not None:
        loop.model.set_weights(run.best_weights)
    return _fitted(run, spec, *before)


def _end_epoch(model: keras.Model, run: TrainingState, spec: TrainingSpec, scores: dict[str, float]) -> None:
    """Note what validation gave, and see whether that was the last epoch."""
    validated: dict[str, Any] = {f"val_{k}": v for k, v in scores.items()}
    run.history[-1] = replace(run.history[-1], **validated)
    run.epochs += 1
    enough = spec.early_stopping is not None and _should_stop(model, run, spec, scores["loss"])
    run.over = enough or run.epochs == spec.epochs


def _fitted(
    run: TrainingState, spec: TrainingSpec, earlier_seconds: float, resumed_from_step: int | None
) -> Fitted:
    return Fitted(
        history=tuple(run.history),
        steps=run.step,
        examples=run.examples,
        epochs=run.epochs,
        stopped_early=run.epochs < spec.epochs,
        best_epoch=run.best_epoch,
        compile_seconds=run.compile_seconds,
        train_seconds=run.train_seconds,
        timed_examples=run.timed_examples,
        earlier_seconds=earlier_seconds,
        resumed_from_step=resumed_from_step,
    )


def _call_steps(run: TrainingState) -> int:
    if not run.step_seconds:
        return 4
    return max(1, min(MAX_CALL_STEPS, int(CALL_SECONDS / run.step_seconds)))


def _take(loop: Loop, run: TrainingState, group: list[Batch]) -> None:
    """Train on a group of batches, and check that every step was finite."""
    began = time.perf_counter()
    result = loop.train(*(tf.constant(np.stack(side)) for side in zip(*group, strict=True)))
    values = {k: v.numpy().astype(np.float64) for k, v in result.items()}
    seconds = time.perf_counter() - began
    run.calls += 1
    if run.calls == 1:
        run.compile_seconds += seconds
    else:
        run.train_seconds += seconds
        run.timed_examples += sum(len(source) for source, _ in group)
        run.step_seconds = seconds / len(group)
    for quantity in ("loss", "gradient_norm"):
        bad = np.flatnonzero(~np.isfinite(values[quantity]))
        if len(bad):
            raise NonFiniteError(run.step + int(bad[0]) + 1, quantity.replace("_", " "))
    run.step += len(group)
    run.pending = {k: np.concatenate([run.pending[k], values[k]]) for k in run.pending}


def _record(run: TrainingState, interval: int, steps_per_epoch: int) -> None:
    """Move finished intervals from the pending steps to the history."""
    first = run.step - len(run.pending["loss"])
    while first < run.step:
        in_epoch = first - run.epochs * steps_per_epoch
        left = steps_per_epoch - in_epoch
        size = left if left < 2 * interval else interval
        if run.step - first < size:
            break
        window = {k: v[:size] for k, v in run.pending.items()}
        run.pending = {k: v[size:] for k, v in run.pending.items()}
        first += size
        run.examples += int(window["rows"].sum())
        run.history.append(
            HistoryRow(
                step=first,
                epoch=run.epochs + 1,
                examples=run.examples,
                **_mean(window),
                learning_rate=float(window["learning_rate"][-1]),
                gradient_norm=float(window["gradient_norm"].mean()),
                seconds=round(run.seconds, 3),
            )
        )


def _progress(run: TrainingState, total: int, batch_size: int) -> Progress:
    last = _mean(run.pending) if len(run.pending["loss"]) else vars(run.history[-1])
    speed = batch_size / run.step_seconds if run.step_seconds else 0.0
    return Progress(run.step, total, last["loss"], last.get("token_accuracy"), speed)


def validate(
    compiled: Callable[..., Any], examples: Examples | Windows, between: Callable[[], None] = lambda: None
) -> dict[str, float]:
    """Return the loss (see `HistoryRow`) and for tokens token_accuracy and sequence_accuracy, all with the
    right prefix given; nothing where there are no examples. `between` is called before each part of them."""
    parts = []
    for first in range(0, len(examples), VALIDATION_ROWS):
        between()
        rows = slice(first, first + VALIDATION_ROWS)
        parts.append(compiled(tf.constant(examples.source[rows]), tf.constant(examples.target[rows])))
    return _mean({k: np.array([float(part[k]) for part in parts]) for k in parts[0]}) if parts else {}


def _should_stop(model: keras.Model, run: TrainingState, spec: TrainingSpec, loss: float) -> bool:
    """Note whether the validation loss fell; return True once it has not for `patience` epochs."""
    rule = spec.early_stopping
    if rule is None:
        return False
    if loss < run.best_loss - rule.min_delta:
        run.best_loss, run.best_epoch, run.waited = loss, run.epochs, 0
        run.best_weights = model.get_weights()
    else:
        run.waited += 1
    return run.waited >= rule.patience
