"""The evaluation of a job's model, by the kind of its targets: tokens or numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from job.evaluation.outcome import Evaluation
from job.evaluation.timed_decoding import ALONE, Spread
from job.inference.numbers import Forecaster
from job.problems.base import Examples, Problem, TokenProblem, Windows
from job.process.stopping import Stop
from job.running.cluster_spread import spread_for
from job.running.forecast_evaluator import ForecastEvaluator
from job.running.inference_model import InferenceModel
from job.running.prepared_model import PreparedModel
from job.running.task import Task
from job.running.token_evaluator import TokenEvaluator
from job.training.replicas import strategy_for


class Evaluator(Protocol):
    """The evaluation of one job's model."""

    @property
    def validation(self) -> Examples | Windows:
        """The validation examples; there may be none."""

    @property
    def model_record(self) -> dict[str, Any]:
        """Content of the model directory's `vocabulary.json`."""

    def compile(self) -> None:
        """Compile what `evaluate` calls; the model need not be trained yet."""

    def evaluate(self, epochs: int, on_decoded: Callable[[float], None] = lambda _: None) -> Evaluation:
        """Decode and score the test set and the validation examples.

        Args:
            epochs: number of epochs that the model was trained for.
            on_decoded: called with the share of the examples that are decoded, 0 to 1.

        Raises:
            Stopped: a process of a cluster was asked to stop.
        """

    def take_part(self) -> None:
        """Compute this process's share of `evaluate`, which the first process of its cluster calls.

        Raises:
            Stopped: a process of the cluster was asked to stop.
        """


def evaluator_of(task: Task, prepared: PreparedModel, stop: Stop) -> Evaluator:
    """Return the evaluator of a model that this process trains, alone or with the others of its cluster.

    Args:
        task: the job.
        prepared: its data and its model.
        stop: requests to stop this process.
    """
    compiled = prepared.compiled
    return evaluator_for(task, prepared.problem, compiled.inference, spread_for(compiled.strategy, stop))


def evaluator_of_saved(task: Task, problem: Problem, inference: InferenceModel, stop: Stop) -> Evaluator:
    """Return the evaluator of a saved model, by this process alone or with the others of its cluster.

    Args:
        task: the job.
        problem: the source of its examples.
        inference: its model, as it was loaded.
        stop: requests to stop this process.
    """
    if task.cluster is None:
        return evaluator_for(task, problem, inference)
    return evaluator_for(
        task, problem, inference, spread_for(strategy_for(task.job.training.distribution), stop)
    )


def evaluator_for(
    task: Task, problem: Problem, inference: InferenceModel, spread: Spread = ALONE
) -> Evaluator:
    """Return the evaluator for a problem's kind of targets; draws its test and validation examples.

    Args:
        task: the job.
        problem: the source of its examples.
        inference: its model.
        spread: the processes that decode.
    """
    test = problem.examples("test", task.job.evaluation.examples)
    validation = problem.examples("validation", task.job.evaluation.validation_examples)
    if isinstance(inference.trained, Forecaster):
        windows = cast(Windows, test), cast(Windows, validation)
        return ForecastEvaluator(
            model=inference.trained, test=windows[0], validation=windows[1], spread=spread
        )
    return TokenEvaluator(
        task=task,
        problem=cast(TokenProblem, problem),
        inference=inference,
        model=inference.trained,
        test=cast(Examples, test),
        validation=cast(Examples, validation),
        spread=spread,
    )
