"""What is compiled for a job, and used again for the next one of the same shape.

Compiling takes as long as hundreds of a small model's steps. Jobs that differ by their seed, say, need it
once: what a compiled function computes depends on the values of variables alone, and those are set anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import Any

import keras
import tensorflow as tf

from job.inference.numbers import Forecaster
from job.inference.tokens import ModelFacts, Search, TrainedModel
from job.models.recurrent import Kernel
from job.models.seq2seq import Models, build_models, build_training_model
from job.problems.base import Problem, TokenProblem, widths
from job.spec.schema import JobSpec
from job.training.fit import Loop, compile_loop
from job.training.replicas import strategy_for


@dataclass(frozen=True)
class Compiled:
    """A job's models and the functions compiled from them.

    Args:
        strategy: in whose scope training runs.
        loop: training, and the model that it trains.
        models: what is saved; they take over the trained weights.
        trained: the same models at work.
    """

    strategy: tf.distribute.Strategy
    loop: Loop
    models: Models
    trained: TrainedModel | Forecaster
    _longer: dict[int, TrainedModel] = field(default_factory=dict)

    def writing(self, columns: int) -> TrainedModel:
        """Return the model at work on targets of other lengths: of tokens, at most so many."""
        assert isinstance(self.trained, TrainedModel)
        facts = replace(self.trained.facts, max_target_length=columns)
        return self._longer.setdefault(columns, replace(self.trained, facts=facts))


class Workbench:
    """Compiles what jobs need, and keeps what the last one needed."""

    def __init__(self) -> None:
        self._kept: tuple[str, Compiled] | None = None

    def prepare(self, problem: Problem, job: JobSpec, kernel: Kernel) -> Compiled:
        """Return a job's models with first weights.

        Keras draws those, and what dropout goes by, from Python's `random`.
        """
        shape = _shape(problem, job, kernel)
        if self._kept and self._kept[0] != shape:
            self._kept = None
            keras.utils.clear_session()  # names begin anew; models are full of cycles, which it collects
        strategy, sizes = strategy_for(job.training.distribution), _sizes(problem, job)
        with strategy.scope():
            model = build_training_model(**sizes, kernel=kernel)
            if self._kept:
                self._kept[1].loop.begin_with(model)
                return self._kept[1]
            loop = compile_loop(model, problem, job.training)
        models = build_models(**sizes)
        compiled = Compiled(strategy, loop, models, _at_work(models, problem, job))
        self._kept = shape, compiled
        return compiled


def _sizes(problem: Problem, job: JobSpec) -> dict[str, Any]:
    """Return what the functions that build models are told."""
    source_size, target_size = widths(problem)
    return {
        "spec": job.model,
        "source_size": source_size,
        "target_size": target_size,
        "masked": not problem.fixed_length,
        "numbers": problem.target_kind == "numbers",
    }


def _shape(problem: Problem, job: JobSpec, kernel: Kernel) -> str:
    """Return all that makes a difference to what is compiled."""
    lengths = [side.shape[1:] for side in problem.batch(0, 0, 1, 1)] if problem.fixed_length else None
    specs = [part.model_dump(mode="json") for part in (job.model, job.training, job.evaluation)]
    examples = problem.examples_per_epoch(job.training.examples)
    return json.dumps([kernel, widths(problem), lengths, examples, specs, _record(problem, job)])


def _record(problem: Problem, job: JobSpec) -> dict[str, Any]:
    if problem.target_kind == "numbers":
        return problem.series.to_json()
    return _facts(problem, job).to_json()


def _at_work(models: Models, problem: Problem, job: JobSpec) -> TrainedModel | Forecaster:
    inference = models.inference_encoder, models.inference_decoder
    if problem.target_kind == "numbers":
        return Forecaster(*inference, problem.series)
    return TrainedModel(*inference, _facts(problem, job))


def _facts(problem: TokenProblem, job: JobSpec) -> ModelFacts:
    fixed = problem.fixed_length
    return ModelFacts(
        source=problem.source_vocabulary,
        target=problem.target_vocabulary,
        fixed_length=fixed,
        source_length=problem.batch(0, 0, 1, 1)[0].shape[1] if fixed else None,
        max_target_length=problem.max_target_length,
        search=Search.from_spec(job.evaluation),
    )
