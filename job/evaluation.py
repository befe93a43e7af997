"""Decode a test set -> `Evaluation`, with what is right and wrong for each example."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job import metrics
from job.analysis import analyse
from job.problems.base import Examples, Ids, TokenProblem
from job.problems.vocabulary import PAD, Vocabulary
from job.results import Evaluation, Prediction

Decode = Callable[[Ids], Ids]
"""Sources (n, S) int32 -> targets (n, T) int32, 0 after a row's end."""

Attention = Callable[[Ids, Ids], NDArray[np.float32]]
"""Sources (n, S) and what was written (n, T) -> where the model looked, (n, T, S)."""

SAMPLES = 10
"""Predictions that a report shows, and whose attention is kept."""

PART = 1024
"""Sequences whose decoding is timed at once: as many as are decoded at once."""

ATTENDED = 30
"""Tokens of either side whose attention is kept, the first ones: no picture shows more."""


def evaluate(
    decode: Decode,
    problem: TokenProblem,
    test: Examples,
    seen: NDArray[np.bool_],
    *,
    words: bool | None = None,
    attention: Attention | None = None,
) -> Evaluation:
    """Decode `test` and score it.

    Args:
        decode: the model.
        problem: whose vocabularies turn ids into text.
        test: the examples, at least one.
        seen: (n,) bool, the sources that also stood in training.
        words: whether a target's tokens are words, for BLEU; None where targets are no text.
        attention: sources and what was written -> where the model looked, see `TrainedModel.attention`.
    """
    began = time.perf_counter()
    decode(test.source[:1])
    compile_seconds = time.perf_counter() - began
    predicted, seconds = _in_parts(decode, test.source)
    predictions = _predictions(problem, test, predicted)
    scores = _scores(problem, test, predicted, predictions)
    if not seen.all():
        scores["unseen_sequence_accuracy"] = float(np.mean(_correct(predictions)[~seen]))
    text = None if words is None else _text_scores(predictions, words, problem)
    source, target = problem.source_vocabulary, problem.target_vocabulary
    return Evaluation(
        metrics={**scores, **(text.scores if text else {})},
        predictions=predictions,
        seen_in_training=int(seen.sum()),
        source_space=problem.source_space,
        compile_seconds=compile_seconds,
        decode_seconds=sum(seconds),
        decode_speeds=tuple(PART / s for s in seconds[: len(test) // PART]),
        signatures=text.signatures if text else {},
        analysis=analyse(predictions, source.split, target.split),
        attention=_attention(attention, problem, test, predicted) if attention else (),
    )


def _in_parts(decode: Decode, source: Ids) -> tuple[Ids, list[float]]:
    """Return what is decoded, and the seconds that each part of it took."""
    parts, marks = [], [time.perf_counter()]
    for first in range(0, len(source), PART):
        parts.append(decode(source[first : first + PART]))
        marks.append(time.perf_counter())
    return np.concatenate(parts), [end - begin for begin, end in pairwise(marks)]


def evaluate_at(
    decode: Decode, problem: TokenProblem, sizes: Mapping[str, int], count: int
) -> dict[str, Any]:
    """Evaluate a model on a problem of other sizes than it was trained on, over the same vocabularies.

    Args:
        decode: the model, decoding to the lengths of `problem`.
        problem: at the other sizes.
        sizes: what is other, for the record.
        count: most examples.

    Returns:
        `sizes`, `examples` (how many) and `metrics`.
    """
    test = problem.examples("test", count)
    predicted = decode(test.source)
    scores = _scores(problem, test, predicted, _predictions(problem, test, predicted))
    return {"sizes": dict(sizes), "examples": len(test), "metrics": scores}


def _correct(predictions: tuple[Prediction, ...]) -> NDArray[np.bool_]:
    return np.array([p.correct for p in predictions])


def _scores(
    problem: TokenProblem, test: Examples, predicted: Ids, predictions: tuple[Prediction, ...]
) -> dict[str, float]:
    return {
        "sequence_accuracy": metrics.sequence_accuracy(_correct(predictions)),
        "token_accuracy": metrics.token_accuracy(predicted, test.target),
        "edit_rate": _edit_rate(problem.target_vocabulary, predictions),
    }


def _text_scores(
    predictions: tuple[Prediction, ...], words: bool, problem: TokenProblem
) -> metrics.TextScores:
    return metrics.text_scores(
        [p.predicted for p in predictions],
        [p.targets for p in predictions],
        words=words,
        lowercase=problem.target_vocabulary.reading.lowercase,
    )


def _attention(
    attention: Callable[[Ids, Ids], NDArray[np.float32]],
    problem: TokenProblem,
    test: Examples,
    predicted: Ids,
) -> tuple[dict[str, Any], ...]:
    """Return the attention of the first samples, weights rounded to 4 digits."""
    source, target = problem.source_vocabulary, problem.target_vocabulary
    weights = attention(test.source[:SAMPLES], predicted[:SAMPLES])
    rows = []
    for ids, written, looked in zip(test.source, predicted, weights, strict=False):
        sources = [source.tokens[i] for i in ids if i != PAD]
        length = list(written).index(target.end) + 1 if target.end in written else len(written)
        predictions = [target.tokens[i] for i in written[:length]]
        shown = looked[: len(predictions), : len(sources)][:ATTENDED, :ATTENDED]
        rows.append(
            {
                "source": sources[:ATTENDED],
                "predicted": predictions[:ATTENDED],
                "source_tokens": len(sources),
                "predicted_tokens": len(predictions),
                "weights": shown.astype(float).round(4).tolist(),
            }
        )
    return tuple(rows)


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
        [[vocabulary.split(r) for r in p.targets] for p in predictions],
    )
