"""Decode a test set -> `Evaluation`, with what is right and wrong for each example."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.evaluation import scores as metrics
from job.evaluation.error_analysis import analyse
from job.evaluation.outcome import Evaluation, TokenFacts
from job.inference.length_batches import group_by_width, lengths_of
from job.problems.base import Examples, Ids, TokenProblem
from job.problems.vocabulary import PAD, Vocabulary
from job.results.data_facts import Separators, TokenCounts
from job.results.records import Prediction

Decode = Callable[[Ids], Ids]
"""Sources (n, S) int32 -> targets (n, T) int32, 0 after a row's end."""

Attention = Callable[[Ids, Ids], NDArray[np.float32]]
"""Sources (n, S) and what was written (n, T) -> where the model looked, (n, T, S)."""

SAMPLES = 10
"""Predictions that a report shows, and whose attention is kept."""

PART = 1024
"""Sequences whose decoding is timed at once: as many short ones are decoded at once."""

ATTENDED = 30
"""Tokens of either side whose attention is kept, the first ones: no picture shows more."""


NOT_MEASURED = {
    "unseen_sequence_accuracy": "every test source occurs in the training data",
    "bleu": "no test example has only reference targets of four tokens or more, which BLEU needs",
    "edit_rate": "the reference targets have no tokens",
}
"""Why a metric is not defined for a test."""


def evaluate(
    decode: Decode,
    problem: TokenProblem,
    test: Examples,
    seen: NDArray[np.bool_],
    *,
    words: bool | None = None,
    attention: Attention | None = None,
) -> Evaluation:
    """Decode `test` and score it against the data's own text.

    Args:
        decode: the model.
        problem: whose vocabularies turn ids into text.
        test: the examples, at least one.
        seen: (n,) bool, the sources that also occur in the training data.
        words: whether a target's tokens are words, for BLEU; None where targets are no text.
        attention: sources and what was written -> where the model looked, see `TrainedModel.attention`.
    """
    began = time.perf_counter()
    decode(test.source[:1])
    compile_seconds = time.perf_counter() - began
    predicted, seconds, speeds = _in_parts(decode, test.source)
    predictions = _predictions(problem, test, predicted)
    scores = _scores(problem, test, predicted, predictions)
    if not seen.all():
        scores["unseen_sequence_accuracy"] = float(np.mean(_correct(predictions)[~seen]))
    text = None if words is None else _text_scores(predictions, words, problem)
    scores |= text.scores if text else {}
    source, target = problem.source_vocabulary, problem.target_vocabulary
    due = {"unseen_sequence_accuracy", "edit_rate", *(("bleu",) if words else ())}
    return Evaluation(
        metrics=scores,
        predictions=predictions,
        seen_in_training=int(seen.sum()),
        source_space=problem.source_space,
        compile_seconds=compile_seconds,
        decode_seconds=sum(seconds),
        decode_speeds=tuple(speeds),
        signatures=text.signatures if text else {},
        analysis=analyse(predictions, source.split, target.split),
        attention=_attention(attention, problem, test, predicted, predictions) if attention else (),
        not_measured={name: why for name, why in NOT_MEASURED.items() if name in due - scores.keys()},
        tokens=token_facts(problem, test, predicted),
    )


def _in_parts(decode: Decode, source: Ids) -> tuple[Ids, list[float], list[float]]:
    """Return what is decoded, the seconds that it took, part by part, and the speed of each full part.

    A part has sources of like length, which are decoded together.
    """
    groups = [chosen for _, chosen in group_by_width(lengths_of(source))]
    parts = [chosen[first : first + PART] for chosen in groups for first in range(0, len(chosen), PART)]
    found, marks = [], [time.perf_counter()]
    for part in parts:
        found.append(decode(source[part]))
        marks.append(time.perf_counter())
    seconds = [end - begin for begin, end in pairwise(marks)]
    speeds = [PART / s for part, s in zip(parts, seconds, strict=True) if len(part) == PART]
    return np.concatenate(found)[np.argsort(np.concatenate(parts))], seconds, speeds


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
    vocabulary = problem.target_vocabulary
    edit_rate = metrics.edit_rate(
        [vocabulary.split(p.scored) for p in predictions],
        [[vocabulary.split(r) for r in p.targets] for p in predictions],
    )
    return {
        "sequence_accuracy": metrics.sequence_accuracy(_correct(predictions)),
        "token_accuracy": metrics.token_accuracy(predicted, test.target, vocabulary.unknown),
        **({} if edit_rate is None else {"edit_rate": edit_rate}),
    }


def _text_scores(
    predictions: tuple[Prediction, ...], words: bool, problem: TokenProblem
) -> metrics.TextScores:
    references = [p.targets for p in predictions]
    return metrics.text_scores(
        [p.scored for p in predictions],
        references,
        words=words and metrics.bleu_is_defined(references),
        lowercase=problem.target_vocabulary.reading.lowercase,
    )


def _predictions(problem: TokenProblem, test: Examples, predicted: Ids) -> tuple[Prediction, ...]:
    """Return a prediction for each example: the data's own texts, and what the model wrote."""
    target = problem.target_vocabulary
    split = None if _joined_by_separator(target) else target.split
    rows = []
    for i in range(len(test)):
        references, knowable = _references(target, test, i)
        text, unknown = target.decode(predicted[i]), target.unknown_spans(predicted[i])
        row = Prediction(
            id=str(i),
            source=_source(problem.source_vocabulary, test, i),
            target=references[0],
            predicted=text,
            correct=knowable and not unknown and text in references,
            references=references if len(references) > 1 else (),
            unknown=unknown,
        )
        rows.append(row if split is None else replace(row, edits=_edits(row, split)))
    return tuple(rows)


def _joined_by_separator(vocabulary: Vocabulary) -> bool:
    """Return whether its separator alone says how a text splits into tokens."""
    return type(vocabulary).split is Vocabulary.split


def _edits(prediction: Prediction, split: Callable[[str], list[str]]) -> tuple[int, int]:
    references = [split(text) for text in prediction.targets]
    return metrics.edit_distances([split(prediction.scored)], [references])


def _source(vocabulary: Vocabulary, test: Examples, i: int) -> str:
    return test.sources[i] if test.sources else vocabulary.decode_readable(test.source[i])


def _references(vocabulary: Vocabulary, test: Examples, i: int) -> tuple[tuple[str, ...], bool]:
    """Return the reference targets of an example, and whether a prediction can be one of them.

    None can where a token is unknown and the problem does not say which it is.
    """
    if test.references:
        return test.references[i], True
    ids = test.target[i]
    return (vocabulary.decode_readable(ids),), vocabulary.unknown not in vocabulary.written(ids)


def token_facts(problem: TokenProblem, test: Examples, predicted: Ids) -> TokenFacts:
    """Return facts about the tokens of a test set.

    A side without its separator has a vocabulary that splits texts by code of its own. Counts are left out if
    no token can be unknown.

    Args:
        problem: the source of the examples.
        test: the test set, n examples.
        predicted: predicted ids, (n, length) int32.
    """
    source, target = problem.source_vocabulary, problem.target_vocabulary
    sides = {"source": source, "target": target}
    separators = Separators(
        **{name: side.separator for name, side in sides.items() if _joined_by_separator(side)}
    )
    if source.unknown is None and target.unknown is None:
        return TokenFacts(separators=separators)
    sources, unknown_sources = _count_ids(source, test.source)
    targets, unknown_targets = _count_targets(target, test)
    outputs, unknown_outputs = _count_ids(target, predicted)
    return TokenFacts(
        separators=separators,
        test_tokens=TokenCounts(source=sources, target=targets, predicted=outputs),
        unknown_tokens=TokenCounts(source=unknown_sources, target=unknown_targets, predicted=unknown_outputs),
    )


def _count_ids(vocabulary: Vocabulary, rows: Ids) -> tuple[int, int]:
    """Return how many tokens rows of ids have, and how many of them are unknown."""
    written = [vocabulary.written(row) for row in rows]
    return sum(map(len, written)), sum(i == vocabulary.unknown for row in written for i in row)


def _count_targets(vocabulary: Vocabulary, test: Examples) -> tuple[int, int]:
    if not test.references:
        return _count_ids(vocabulary, test.target)
    texts = [text for references in test.references for text in references]
    tokens = sum(len(vocabulary.split(text)) for text in texts)
    return tokens, sum(map(vocabulary.unknown_tokens, texts))


def _attention(
    attention: Callable[[Ids, Ids], NDArray[np.float32]],
    problem: TokenProblem,
    test: Examples,
    predicted: Ids,
    predictions: tuple[Prediction, ...],
) -> tuple[dict[str, Any], ...]:
    """Return the attention of the first samples, weights rounded to 4 digits."""
    target = problem.target_vocabulary
    weights = attention(test.source[:SAMPLES], predicted[:SAMPLES])
    rows = []
    for i, looked in enumerate(weights):
        sources = _source_labels(problem.source_vocabulary, test.source[i], predictions[i].source)
        written = _written(target, predicted[i])
        shown = looked[: len(written), : len(sources)][:ATTENDED, :ATTENDED]
        rows.append(
            {
                "source": sources[:ATTENDED],
                "predicted": [target.tokens[i] for i in written[:ATTENDED]],
                "source_tokens": len(sources),
                "predicted_tokens": len(written),
                "reserved": [at for at, i in enumerate(written[:ATTENDED]) if i in target.reserved],
                "weights": shown.astype(float).round(4).tolist(),
            }
        )
    return tuple(rows)


def _source_labels(vocabulary: Vocabulary, ids: Ids, text: str) -> list[str]:
    """Return the tokens of a source as the data has them."""
    read = [int(i) for i in ids if i != PAD]
    tokens = vocabulary.split(text)
    return tokens if len(tokens) == len(read) else [vocabulary.tokens[i] for i in read]


def _written(vocabulary: Vocabulary, ids: Ids) -> list[int]:
    """Return the ids that were written, the end id included, without the padding."""
    row: list[int] = ids.tolist()
    if vocabulary.end in row:
        return row[: row.index(vocabulary.end) + 1]
    while row and row[-1] == PAD:
        row.pop()
    return row
