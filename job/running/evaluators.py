"""Evaluation of a job's model on its test set: one evaluator for tokens, one for numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, cast

from job.evaluation.context_projection import MAX_SOURCES, contexts
from job.evaluation.forecast_evaluation import evaluate_forecasts
from job.evaluation.outcome import Evaluation
from job.evaluation.token_evaluation import evaluate_other_sizes, evaluate_tokens
from job.inference.numbers import Forecaster
from job.inference.tokens import TrainedModel
from job.problems import build_problem
from job.problems.base import Examples, Problem, TokenProblem, Windows
from job.problems.overlap import seen_in_training
from job.running.model_cache import CompiledModel
from job.running.result_checks import check_contexts
from job.running.task import Task
from job.spec.other_sizes import resized


class Evaluator(Protocol):
    """The evaluation of one job's model."""

    @property
    def model_record(self) -> dict[str, Any]:
        """Content of the model directory's `vocabulary.json`."""

    def compile(self) -> None:
        """Compile what `evaluate` calls; the model need not be trained yet."""

    def evaluate(self, epochs: int) -> Evaluation:
        """Decode and score the test set.

        Args:
            epochs: number of epochs that the model was trained for.
        """


def evaluator_for(task: Task, problem: Problem, compiled: CompiledModel) -> Evaluator:
    """Return the evaluator for a problem's kind of targets; draws its test set.

    Args:
        task: the job.
        problem: the source of its examples.
        compiled: its model.
    """
    test = problem.examples("test", task.job.evaluation.examples)
    if isinstance(compiled.trained, Forecaster):
        return ForecastEvaluator(model=compiled.trained, test=cast(Windows, test))
    return TokenEvaluator(
        task=task,
        problem=cast(TokenProblem, problem),
        compiled=compiled,
        model=compiled.trained,
        test=cast(Examples, test),
    )


@dataclass(frozen=True, kw_only=True)
class ForecastEvaluator:
    """Evaluation of forecasts of numbers.

    Args:
        model: the model.
        test: windows of the test rows.
    """

    model: Forecaster
    test: Windows

    @property
    def model_record(self) -> dict[str, Any]:
        """Content of `vocabulary.json`."""
        return self.model.to_json()

    def compile(self) -> None:
        """Do nothing: the first forecast compiles all that there is."""

    def evaluate(self, epochs: int) -> Evaluation:
        """Forecast the test windows and score them."""
        return evaluate_forecasts(self.model, self.test)


@dataclass(frozen=True, kw_only=True)
class TokenEvaluator:
    """Evaluation of predicted token sequences.

    Args:
        task: the job.
        problem: the source of its examples.
        compiled: the model and its decoders for other lengths.
        model: the model with the decoder for this problem's lengths.
        test: the test set.
    """

    task: Task
    problem: TokenProblem
    compiled: CompiledModel
    model: TrainedModel
    test: Examples

    @property
    def model_record(self) -> dict[str, Any]:
        """Content of `vocabulary.json`."""
        return self.model.facts.to_json()

    def compile(self) -> None:
        """Compile decoding and encoding with one source."""
        self.model.decode(self.test.source[:1])
        self.model.states(self.test.source[:1])

    def evaluate(self, epochs: int) -> Evaluation:
        """Decode and score the test set, then the other sizes, then project context vectors."""
        job, model = self.task.job, self.model
        families = job.problem.families
        examples = self.problem.examples_per_epoch(job.training.examples)
        evaluation = evaluate_tokens(
            model.decode,
            self.problem,
            self.test,
            seen_in_training(self.problem, self.test.source, epochs, job.training.batch_size, examples),
            words="words" in families if "text" in families else None,
            attention=model.attention if model.attends else None,
        )
        return replace(evaluation, also=self._other_sizes(), contexts=self._contexts(evaluation))

    def _other_sizes(self) -> tuple[dict[str, Any], ...]:
        """Return the evaluations at the sizes of the spec's `evaluation.also`."""
        job, rows = self.task.job, []
        for sizes in job.evaluation.also:
            spec = resized(job.problem, sizes)
            problem = cast(TokenProblem, build_problem(spec, job.seed, self.task.directory, self.task.data))
            decode = self.compiled.decoder_for(problem.max_target_length).decode
            rows.append(evaluate_other_sizes(decode, problem, sizes, job.evaluation.examples))
        return tuple(rows)

    def _contexts(self, evaluation: Evaluation) -> dict[str, Any]:
        """Return the content of `contexts.json`.

        Raises:
            ResultError: a context vector is not finite.
        """
        predictions = evaluation.predictions[:MAX_SOURCES]
        states = self.model.states(self.test.source[:MAX_SOURCES])
        check_contexts(states)
        return contexts(
            self.task.job.problem.kind,
            [prediction.id for prediction in predictions],
            [self.problem.source_vocabulary.split(prediction.source) for prediction in predictions],
            states,
        )
