"""Evaluation of a job's model that predicts tokens: test, validation, other sizes and context vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.evaluation.context_projection import MAX_SOURCES, contexts
from job.evaluation.outcome import NOT_DECODED, Evaluation
from job.evaluation.timed_decoding import Decode, Spread, decode_spread
from job.evaluation.token_evaluation import (
    evaluate_other_sizes,
    evaluate_tokens,
    evaluate_validation,
    score_tokens,
)
from job.inference.tokens import TrainedModel
from job.problems.base import Examples, Ids, TokenProblem
from job.problems.overlap import seen_in_training
from job.running.inference_model import InferenceModel
from job.running.other_sizes import resized_problems
from job.running.result_checks import check_contexts
from job.running.task import Task

Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TokenEvaluator:
    """Evaluation of predicted token sequences.

    Args:
        task: the job.
        problem: the source of its examples.
        inference: the model and its decoders for other lengths.
        model: the model with the decoder for this problem's lengths.
        test: the test set.
        validation: the validation examples; a plugin's problem may have none.
        spread: the processes that decode.
    """

    task: Task
    problem: TokenProblem
    inference: InferenceModel
    model: TrainedModel
    test: Examples
    validation: Examples
    spread: Spread

    @property
    def model_record(self) -> dict[str, Any]:
        """Content of `vocabulary.json`."""
        return self.model.facts.to_json()

    def compile(self) -> None:
        """Compile decoding and encoding with one source, unless that was done for a job before."""
        if self.inference.compiled.is_set():
            return
        self.model.decode(self.test.source[:1])
        self.model.states(self.test.source[:1])
        self.inference.compiled.set()

    def evaluate(self, epochs: int, on_decoded: Callable[[float], None] = lambda _: None) -> Evaluation:
        """Decode and score test and validation, then the other sizes, then project context vectors."""
        model, problem, words = self.model, self.problem, self.task.job.problem.target_words
        self.spread.share_weights((model.encoder, model.decoder))
        decoded = self._counter(on_decoded)
        seen, seen_validation = self._seen(epochs)
        evaluation = evaluate_tokens(
            model.decode,
            problem,
            self.test,
            seen,
            words=words,
            attention=model.attention if model.attends else None,
            spread=self.spread,
            on_decoded=decoded,
            compiled=self.inference.compiled.is_set(),
        )
        validation = NOT_DECODED
        if len(self.validation):
            validation = evaluate_validation(
                model.decode, problem, self.validation, seen_validation, words=words, spread=self.spread
            )
            decoded(len(self.validation))
        return replace(
            evaluation,
            validation=validation,
            also=self._other_sizes(decoded),
            contexts=self._contexts(evaluation),
        )

    def take_part(self) -> None:
        """Compute this process's share of the decoding of `evaluate`, in the same order."""
        self.spread.share_weights((self.model.encoder, self.model.decoder))
        for examples in (self.test, self.validation):
            if len(examples):
                decode_spread(self.model.decode, examples.source, self.spread)
        for _, problem in resized_problems(self.task):
            source = problem.examples("test", self.task.job.evaluation.examples).source
            decode_spread(self._decoder(problem), source, self.spread)

    def score_test(self, decoded: Ids) -> dict[str, float]:
        """Return the metrics of predicted ids of the test, (n, T) int32, 0 after a row's end."""
        words = self.task.job.problem.target_words
        return score_tokens(self.problem, self.test, decoded, words=words).metrics

    def _seen(self, epochs: int) -> tuple[Bools, Bools]:
        """Return which test and which validation sources occur in the training data, (n,) bool each."""
        training, sides = self.task.job.training, (self.test.source, self.validation.source)
        width = max(side.shape[1] for side in sides)
        both = np.concatenate([np.pad(side, ((0, 0), (0, width - side.shape[1]))) for side in sides])
        examples = self.problem.examples_per_epoch(training.examples)
        parts = (self.test, self.validation)
        texts = [text for part in parts for text in part.sources or [""] * len(part)]
        seen = seen_in_training(self.problem, both, epochs, training.step_examples, examples, texts)
        return seen[: len(self.test)], seen[len(self.test) :]

    def _counter(self, on_decoded: Callable[[float], None]) -> Callable[[int], None]:
        """Return a function that counts decoded examples, and reports their share of all."""
        evaluation, done = self.task.job.evaluation, 0
        total = len(self.test) + len(self.validation) + len(evaluation.also) * evaluation.examples

        def decoded(count: int) -> None:
            nonlocal done
            done += count
            on_decoded(min(1.0, done / total))

        return decoded

    def _other_sizes(self, decoded: Callable[[int], None]) -> tuple[dict[str, Any], ...]:
        """Return the evaluations at the sizes of the spec's `evaluation.also`."""
        count, rows = self.task.job.evaluation.examples, []
        for sizes, problem in resized_problems(self.task):
            rows.append(evaluate_other_sizes(self._decoder(problem), problem, sizes, count, self.spread))
            decoded(count)
        return tuple(rows)

    def _decoder(self, problem: TokenProblem) -> Decode:
        """Return the model's search for a problem's lengths."""
        return self.inference.decoder_for(problem.max_target_length).decode

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
