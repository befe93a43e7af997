"""Files of a job directory: spec, model, history, predictions and contexts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from job.evaluation.outcome import Evaluation
from job.models.seq2seq import Models
from job.results.predictions import Prediction
from job.running.model_cache import CompiledModel
from job.running.result_checks import check_weights
from job.running.task import Task
from job.storage import artifacts


def write_spec(task: Task) -> None:
    """Write the job's resolved spec as `spec.yaml`."""
    spec = task.job.model_dump(mode="json")
    artifacts.write_text(task.paths.spec, yaml.safe_dump(spec, sort_keys=False))


def save_trained_model(task: Task, compiled: CompiledModel, record: dict[str, Any]) -> None:
    """Write the trained model to the job's model directory.

    Args:
        task: the job.
        compiled: its model; the models to save take over the trained weights.
        record: content of `vocabulary.json`, JSON values.

    Raises:
        ResultError: a weight is not finite.
    """
    check_weights(compiled.loop.model.get_weights())
    compiled.take_over_weights()
    save_models(compiled.models, record, task.paths.model)


def save_models(models: Models, record: dict[str, Any], directory: Path) -> None:
    """Write the three models and `vocabulary.json` to a model directory, each file atomically.

    Args:
        models: the models.
        record: content of `vocabulary.json`, JSON values.
        directory: the model directory; made if it does not exist.
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name, model in vars(models).items():
        with artifacts.replacing(directory / f"{name}.keras") as temporary:
            model.save(temporary)
    write_model_record(record, directory)


def write_model_record(record: dict[str, Any], directory: Path) -> None:
    """Write `vocabulary.json` to a model directory.

    Args:
        record: its content, JSON values.
        directory: the model directory.
    """
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    artifacts.write_text(directory / "vocabulary.json", text + "\n")


def write_evaluation(task: Task, evaluation: Evaluation) -> None:
    """Write the predictions of test and validation and, if there are any contexts, `contexts.json`."""
    artifacts.write_text(task.paths.predictions, _lines(evaluation.predictions))
    if evaluation.validation.predictions:
        artifacts.write_text(task.paths.validation_predictions, _lines(evaluation.validation.predictions))
    if evaluation.contexts:
        artifacts.write_text(task.paths.contexts, json.dumps(evaluation.contexts, allow_nan=False) + "\n")


def _lines(predictions: Sequence[Prediction]) -> str:
    return "".join(prediction.to_line() + "\n" for prediction in predictions)
