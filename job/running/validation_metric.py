"""Measure a metric of the decoded validation examples at the end of an epoch, to find the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import numpy as np

from job.errors import TrainingError
from job.evaluation.forecast_evaluation import score_forecasts
from job.evaluation.token_evaluation import NOT_MEASURED, score_tokens
from job.inference.numbers import Forecaster
from job.problems.base import Examples, Ids, Problem, TokenProblem, Windows
from job.running.model_cache import CompiledModel
from job.running.task import Task
from job.training.validation import VALIDATION_ROWS, Measure


def measure_for(
    task: Task, problem: Problem, validation: Examples | Windows, compiled: CompiledModel
) -> Measure | None:
    """Return the function that measures the metric of a job's best epoch; None if that is the loss.

    It copies the weights of the model in training to the models to save, and decodes greedily, so that an
    epoch takes as much longer as decoding `evaluation.validation_examples` examples takes.

    Args:
        task: the job.
        problem: the source of its examples.
        validation: its validation examples.
        compiled: its model.

    Raises:
        TrainingError: the metric is not defined for these examples.
    """
    metric = task.job.training.best_by
    if metric == "loss" or not len(validation):
        return None
    forecaster = compiled.inference.trained
    if isinstance(forecaster, Forecaster):
        return _forecast_measure(metric, cast(Windows, validation), compiled, forecaster)
    words = task.job.problem.target_words
    return _token_measure(metric, cast(TokenProblem, problem), cast(Examples, validation), compiled, words)


def _forecast_measure(
    metric: str, validation: Windows, compiled: CompiledModel, forecaster: Forecaster
) -> Measure:
    def measure(before_part: Callable[[], None]) -> float:
        before_part()
        return score_forecasts(validation, forecaster.forecast(validation.history))[metric]

    return Measure(take_weights=compiled.take_over_weights, value=measure)


def _token_measure(
    metric: str, problem: TokenProblem, validation: Examples, compiled: CompiledModel, words: bool | None
) -> Measure:
    def score(decoded: Ids) -> float:
        return _defined(metric, score_tokens(problem, validation, decoded, words=words).metrics)

    def measure(before_part: Callable[[], None]) -> float:
        decode, parts = compiled.inference.greedy.decode, []
        for first in range(0, len(validation), VALIDATION_ROWS):
            before_part()
            parts.append(decode(validation.source[first : first + VALIDATION_ROWS]))
        return score(np.concatenate(parts))

    score(validation.target)  # a metric that perfect predictions lack is reported before training
    return Measure(take_weights=compiled.take_over_weights, value=measure)


def _defined(metric: str, metrics: Mapping[str, float]) -> float:
    if metric not in metrics:
        reason = NOT_MEASURED.get(metric, "they do not determine it")
        raise TrainingError(
            f"training.early_stopping.metric is {metric}, which is not defined for the validation examples: "
            f"{reason}; choose another metric"
        )
    return metrics[metric]
