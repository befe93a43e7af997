"""A cache of compiled models: a job whose model is compiled like the one before uses it again.

Compilation takes as long as hundreds of steps of a small model. Jobs that differ in their seed only need it
once: compiled functions depend on the values of variables only, and these are set anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import keras
import tensorflow as tf

from job.models.frozen_parts import freeze
from job.models.recurrent import Kernel
from job.models.seq2seq import Models, build_models, build_training_model
from job.problems.base import Problem, widths
from job.problems.training_batches import training_batches
from job.running.inference_model import InferenceModel, inference_model, model_record
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.training.compiled_loop import CompiledLoop, compile_loop
from job.training.loss_scaling import computing_in
from job.training.replicas import strategy_for


@dataclass(frozen=True)
class CompiledModel:
    """A job's models and the functions compiled from them.

    Args:
        strategy: the scope of training.
        loop: the training loop with the model that it trains.
        models: the models to save; they receive the trained weights.
        inference: the inference models of `models`.
    """

    strategy: tf.distribute.Strategy
    loop: CompiledLoop
    models: Models
    inference: InferenceModel

    def take_over_weights(self) -> None:
        """Copy the weights of the training loop's model to the models to save, and so to `inference`."""
        self.models.train.set_weights(self.loop.model.get_weights())


class ModelCache:
    """Compiles models and keeps the last one."""

    def __init__(self) -> None:
        self._last: tuple[str, CompiledModel] | None = None

    def prepare(self, problem: Problem, job: JobSpec, kernel: Kernel) -> CompiledModel:
        """Return a job's model with new initial weights, compiled now or for the job before.

        Keras draws the weights and the seeds of dropout from Python's `random`.

        Args:
            problem: the source of its examples.
            job: its spec.
            kernel: the recurrent kernel of training.
        """
        key = _cache_key(problem, job, kernel)
        if self._last and self._last[0] != key:
            self._last = None
            keras.utils.clear_session()  # resets layer names, and collects models, which are full of cycles
        strategy, sizes = strategy_for(job.training.distribution), _model_sizes(problem, job)
        with strategy.scope():
            with computing_in(job.training.precision):
                model = sizes.training_model(kernel)
            freeze(model, job.training.freeze)
            if self._last:
                self._last[1].loop.reset(model, job.seed)
                return self._last[1]
            loop = compile_loop(model, problem, job.training, job.seed)
        models = sizes.models()
        inference = inference_model(models.inference_encoder, models.inference_decoder, problem, job)
        compiled = CompiledModel(strategy, loop, models, inference)
        self._last = key, compiled
        return compiled


@dataclass(frozen=True, kw_only=True)
class _ModelSizes:
    """The arguments of the functions that build models, see `job.models.seq2seq.build_models`."""

    spec: ModelSpec
    source_size: int
    target_size: int
    masked: bool
    numbers: bool

    def training_model(self, kernel: Kernel) -> keras.Model:
        """Build the model to train."""
        return build_training_model(
            self.spec,
            self.source_size,
            self.target_size,
            masked=self.masked,
            kernel=kernel,
            numbers=self.numbers,
        )

    def models(self) -> Models:
        """Build the models to save."""
        return build_models(
            self.spec, self.source_size, self.target_size, masked=self.masked, numbers=self.numbers
        )


def _model_sizes(problem: Problem, job: JobSpec) -> _ModelSizes:
    source_size, target_size = widths(problem)
    return _ModelSizes(
        spec=job.model,
        source_size=source_size,
        target_size=target_size,
        masked=not problem.fixed_length,
        numbers=problem.target_kind == "numbers",
    )


def _cache_key(problem: Problem, job: JobSpec, kernel: Kernel) -> str:
    """Return everything on which compiled functions depend, as JSON."""
    lengths = [side.shape[1:] for side in problem.batch(0, 0, 1, 1)] if problem.fixed_length else None
    specs = [part.model_dump(mode="json") for part in (job.model, job.training, job.evaluation)]
    steps = training_batches(problem, job.training).steps
    return json.dumps([kernel, widths(problem), lengths, steps, specs, model_record(problem, job)])
