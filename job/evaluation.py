"""Decode a test set -> `Evaluation`, with what is right and wrong for each example."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from job import metrics
from job.problems.base import Examples, Ids, TokenProblem
from job.problems.vocabulary import Vocabulary
from job.results import Evaluation, Prediction


def evaluate(
    decode: Callable[[Ids], Ids], problem: TokenProblem, test: Examples, seen: NDArray[np.bool_]
) -> Evaluation:
    """Decode `test` and score it.

    Args:
        decode: sources (n, S) int32 -> targets (n, T) int32.
        problem: whose vocabularies turn ids into text.
        test: the examples, at least one.
        seen: (n,) bool, the sources that also stood in training.
    """
    began = time.perf_counter()
    decode(test.source[:1])
    compiled = time.perf_counter()
    predicted = decode(test.source)
    finished = time.perf_counter()
    predictions = _predictions(problem, test, predicted)
    correct = np.array([p.correct for p in predictions])
    scores = {
        "sequence_accuracy": metrics.sequence_accuracy(correct),
        "token_accuracy": metrics.token_accuracy(predicted, test.target),
        "edit_rate": _edit_rate(problem.target_vocabulary, predictions),
    }
    if not seen.all():
        scores["unseen_sequence_accuracy"] = metrics.sequence_accuracy(correct[~seen])
    return Evaluation(
        metrics=scores,
        predictions=predictions,
        seen_in_training=int(seen.sum()),
        source_space=problem.source_space,
        compile_seconds=compiled - began,
        decode_seconds=finished - compiled,
    )


def _predictions(problem: TokenProblem, test: Examples, predicted: Ids) -> tuple[Prediction, ...]:
    source, target = problem.source_vocabulary, problem.target_vocabulary
    rows = []
    for i in range(len(test)):
        right = target.decode(test.target[i])
        references = test.references[i] if test.references else (right,)
        text = target.decode(predicted[i])
        rows.append(
            Prediction(
                id=str(i),
                source=source.decode(test.source[i]),
                target=right,
                predicted=text,
                correct=text in references,
                references=references if len(references) > 1 else (),
            )
        )
    return tuple(rows)


def _edit_rate(vocabulary: Vocabulary, predictions: tuple[Prediction, ...]) -> float:
    return metrics.edit_rate(
        [vocabulary.split(p.predicted) for p in predictions],
        [[vocabulary.split(r) for r in (p.references or (p.target,))] for p in predictions],
    )
