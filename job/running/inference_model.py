"""The model that a job evaluates: in memory after training, or loaded from the job's model directory."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from threading import Event
from typing import Any

import keras

from job.errors import ModelDirectoryError, TrainingError
from job.inference.model_facts import ModelFacts, Search
from job.inference.model_files import load_model_file
from job.inference.numbers import Forecaster
from job.inference.tokens import TrainedModel
from job.problems.base import Problem, TokenProblem
from job.spec.schema import JobSpec
from job.storage.documents import why


@dataclass(frozen=True)
class InferenceModel:
    """The inference models of a job.

    Args:
        trained: with the decoder for the problem's lengths.
        compiled: set once its decoding and encoding are compiled, perhaps in a thread or for a job before.
    """

    trained: TrainedModel | Forecaster
    compiled: Event = field(default_factory=Event)
    _decoders: dict[int, TrainedModel] = field(default_factory=dict)

    @cached_property
    def greedy(self) -> TrainedModel:
        """The token model with greedy decoding that no option of the evaluation changes."""
        assert isinstance(self.trained, TrainedModel)
        return replace(self.trained, facts=replace(self.trained.facts, search=Search()))

    def decoder_for(self, max_target_length: int) -> TrainedModel:
        """Return the token model with a decoder that stops after `max_target_length` tokens."""
        assert isinstance(self.trained, TrainedModel)
        facts = replace(self.trained.facts, max_target_length=max_target_length)
        return self._decoders.setdefault(max_target_length, replace(self.trained, facts=facts))


def inference_model(
    encoder: keras.Model, decoder: keras.Model, problem: Problem, job: JobSpec
) -> InferenceModel:
    """Return the inference models with a decoder, or with a rollout for numbers.

    Args:
        encoder, decoder: see `job.models.seq2seq.Models`.
        problem: the source of the job's examples.
        job: its spec.

    Raises:
        TrainingError: the job's search needs attention weights, which the decoder does not have.
    """
    if problem.target_kind == "numbers":
        return InferenceModel(Forecaster(encoder, decoder, problem.series))
    model = TrainedModel(encoder, decoder, _model_facts(problem, job))
    if job.evaluation.coverage_penalty and not model.attends:  # a plugin; of others the spec is checked
        raise TrainingError(
            f"evaluation.coverage_penalty needs attention weights, but {job.model.name!r} returns none; "
            "drop it"
        )
    return InferenceModel(model)


def load_inference_model(directory: Path, problem: Problem, job: JobSpec) -> InferenceModel:
    """Load the models that training has saved, to decode by the job's `evaluation` section.

    Args:
        directory: the model directory; its `vocabulary.json` is not read: it has the options of an earlier
            evaluation.
        problem, job: see `inference_model`.

    Raises:
        ModelDirectoryError: a file cannot be read, or is not a model.
    """
    models = []
    for name in ("inference_encoder", "inference_decoder"):
        path = directory / f"{name}.keras"
        try:
            models.append(load_model_file(path))
        except ModelDirectoryError:
            raise
        except Exception as error:  # of a damaged file Keras, HDF5 and TensorFlow raise almost anything
            raise ModelDirectoryError(
                f"{path} cannot be loaded ({why(error)}); train the job again"
            ) from error
    encoder, decoder = models
    return inference_model(encoder, decoder, problem, job)


def model_record(problem: Problem, job: JobSpec) -> dict[str, Any]:
    """Return the content of `vocabulary.json`."""
    if problem.target_kind == "numbers":
        return problem.series.to_json()
    return _model_facts(problem, job).to_json()


def _model_facts(problem: TokenProblem, job: JobSpec) -> ModelFacts:
    fixed = problem.fixed_length
    return ModelFacts(
        source=problem.source_vocabulary,
        target=problem.target_vocabulary,
        fixed_length=fixed,
        source_length=problem.batch(0, 0, 1, 1)[0].shape[1] if fixed else None,
        max_target_length=problem.max_target_length,
        search=Search.from_spec(job.evaluation),
    )
