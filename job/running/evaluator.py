"""The evaluation of a job's model, by the kind of its targets: tokens or numbers."""

from __future__ import annotations

from typing import Any, Protocol, cast

from job.evaluation.outcome import Evaluation
from job.inference.numbers import Forecaster
from job.problems.base import Examples, Problem, TokenProblem, Windows
from job.running.forecast_evaluator import ForecastEvaluator
from job.running.inference_model import InferenceModel
from job.running.task import Task
from job.running.token_evaluator import TokenEvaluator


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

    def evaluate(self, epochs: int) -> Evaluation:
        """Decode and score the test set and the validation examples.

        Args:
            epochs: number of epochs that the model was trained for.
        """


def evaluator_for(task: Task, problem: Problem, inference: InferenceModel) -> Evaluator:
    """Return the evaluator for a problem's kind of targets; draws its test and validation examples.

    Args:
        task: the job.
        problem: the source of its examples.
        inference: its model.
    """
    test = problem.examples("test", task.job.evaluation.examples)
    validation = problem.examples("validation", task.job.evaluation.validation_examples)
    if isinstance(inference.trained, Forecaster):
        windows = cast(Windows, test), cast(Windows, validation)
        return ForecastEvaluator(model=inference.trained, test=windows[0], validation=windows[1])
    return TokenEvaluator(
        task=task,
        problem=cast(TokenProblem, problem),
        inference=inference,
        model=inference.trained,
        test=cast(Examples, test),
        validation=cast(Examples, validation),
    )
