"""Decode examples of token sequences, of the test and of validation, and score them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.evaluation.attention_samples import Attention, attention_samples
from job.evaluation.error_analysis import analyse
from job.evaluation.outcome import DecodedValidation, Evaluation
from job.evaluation.scores import edit_rate, sequence_accuracy, token_accuracy
from job.evaluation.text_scores import TextScores, Tokenization, bleu_is_defined, text_scores
from job.evaluation.timed_decoding import ALONE, Decode, Spread, decode_spread, decode_timed
from job.evaluation.token_counts import token_facts
from job.evaluation.token_predictions import token_predictions
from job.problems.base import Examples, Ids, TextSides, TokenProblem
from job.results.predictions import Prediction
from job.results.validation_result import ValidationResult

NOT_MEASURED = {
    "unseen_sequence_accuracy": "every source occurs in the training data",
    "bleu": "no example has only reference targets of four tokens or more, which BLEU needs",
    "edit_rate": "the reference targets have no tokens",
}
"""Metric -> the reason why it is not defined for these examples."""


@dataclass(frozen=True, kw_only=True)
class TokenScores:
    """Decoded examples with their scores.

    Args:
        predictions: one for each example.
        metrics: metric -> value.
        signatures: metric -> the signature of the library that computed it.
        not_measured: metric -> the reason why it is not defined for these examples, as a clause.
    """

    predictions: tuple[Prediction, ...]
    metrics: dict[str, float]
    signatures: dict[str, str]
    not_measured: dict[str, str]


def score_tokens(
    problem: TextSides,
    examples: Examples,
    decoded: Ids,
    *,
    seen: NDArray[np.bool_] | None = None,
    words: bool | None = None,
) -> TokenScores:
    """Score decoded examples, of the test or of validation, against the texts of the data.

    Args:
        problem: the source of the examples.
        examples: n > 0 examples.
        decoded: their predicted ids, (n, T) int32, 0 after a row's end.
        seen: (n,) bool, whether a source occurs in the training data; None if that is not known.
        words: whether the tokens of a target are words, for BLEU; None if targets are not text.
    """
    predictions = token_predictions(problem, examples, decoded)
    text = None if words is None else _text_scores(predictions, problem, words=words)
    unseen = np.zeros(len(examples), np.bool_) if seen is None else ~seen
    metrics = {
        **_token_metrics(problem, examples, decoded, predictions),
        **({"unseen_sequence_accuracy": float(_correct(predictions)[unseen].mean())} if unseen.any() else {}),
        **(text.scores if text else {}),
    }
    possible = {"edit_rate", *(("bleu",) if words else ())}
    possible |= set() if seen is None else {"unseen_sequence_accuracy"}
    return TokenScores(
        predictions=predictions,
        metrics=metrics,
        signatures=text.signatures if text else {},
        not_measured={k: reason for k, reason in NOT_MEASURED.items() if k in possible - metrics.keys()},
    )


def evaluate_tokens(
    decode: Decode,
    problem: TokenProblem,
    test: Examples,
    seen: NDArray[np.bool_],
    *,
    words: bool | None = None,
    attention: Attention | None = None,
    spread: Spread = ALONE,
    on_decoded: Callable[[int], None] = lambda _: None,
    compiled: bool = False,
) -> Evaluation:
    """Decode a test set and score it against the texts of the data.

    Args:
        decode: the model with its decoder.
        problem: the source of the examples.
        test: the test set, n > 0 examples.
        seen: (n,) bool, whether a source occurs in the training data.
        words: whether the tokens of a target are words, for BLEU; None if targets are not text.
        attention: the model's attention; None if it has none.
        spread: the processes that decode.
        on_decoded, compiled: see `decode_timed`.
    """
    decoded = decode_timed(decode, test.source, spread, on_decoded, compiled=compiled)
    scores = score_tokens(problem, test, decoded.ids, seen=seen, words=words)
    predictions = scores.predictions
    source, target = problem.source_vocabulary, problem.target_vocabulary
    return Evaluation(
        metrics=scores.metrics,
        predictions=predictions,
        seen_in_training=int(seen.sum()),
        source_space=problem.source_space,
        compile_seconds=decoded.compile_seconds,
        decode_seconds=decoded.seconds,
        decode_speeds=decoded.speeds,
        signatures=scores.signatures,
        analysis=analyse(predictions, source.split, target.split),
        attention=attention_samples(attention, problem, test, decoded.ids, predictions) if attention else (),
        not_measured=scores.not_measured,
        tokens=token_facts(problem, test, decoded.ids),
    )


def evaluate_validation(
    decode: Decode,
    problem: TokenProblem,
    validation: Examples,
    seen: NDArray[np.bool_],
    *,
    words: bool | None = None,
    spread: Spread = ALONE,
) -> DecodedValidation:
    """Decode the validation examples and score them as `evaluate_tokens` scores the test.

    Args:
        decode, problem, words, spread: see `evaluate_tokens`.
        validation: n > 0 examples.
        seen: (n,) bool, whether a source occurs in the training data.
    """
    decoded = decode_spread(decode, validation.source, spread)
    scores = score_tokens(problem, validation, decoded, seen=seen, words=words)
    result = ValidationResult(
        examples=len(validation),
        metrics=scores.metrics,
        seen_in_training=int(seen.sum()),
        signatures=scores.signatures,
        not_measured=scores.not_measured,
    )
    return DecodedValidation(result=result, predictions=scores.predictions)


def evaluate_other_sizes(
    decode: Decode, problem: TokenProblem, sizes: Mapping[str, int], count: int, spread: Spread = ALONE
) -> dict[str, Any]:
    """Evaluate a model on a problem of other sizes than it was trained on, with the same vocabularies.

    Args:
        decode: the model with a decoder for the problem's lengths.
        problem: the problem with the other sizes.
        sizes: these sizes, for the record.
        count: largest number of examples.
        spread: the processes that decode.

    Returns:
        `sizes`, the number of `examples`, and `metrics`.
    """
    test = problem.examples("test", count)
    predicted = decode_spread(decode, test.source, spread)
    metrics = _token_metrics(problem, test, predicted, token_predictions(problem, test, predicted))
    return {"sizes": dict(sizes), "examples": len(test), "metrics": metrics}


def _correct(predictions: tuple[Prediction, ...]) -> NDArray[np.bool_]:
    return np.array([p.correct for p in predictions])


def _token_metrics(
    problem: TextSides, test: Examples, predicted: Ids, predictions: tuple[Prediction, ...]
) -> dict[str, float]:
    """Return the metrics that every problem of tokens has; no `edit_rate` if it is undefined."""
    vocabulary = problem.target_vocabulary
    rate = edit_rate(
        [vocabulary.split(p.scored) for p in predictions],
        [[vocabulary.split(text) for text in p.targets] for p in predictions],
    )
    return {
        "sequence_accuracy": sequence_accuracy(_correct(predictions)),
        "token_accuracy": token_accuracy(predicted, test.target, vocabulary.unknown),
        **({} if rate is None else {"edit_rate": rate}),
    }


def _text_scores(predictions: tuple[Prediction, ...], problem: TextSides, *, words: bool) -> TextScores:
    references = [p.targets for p in predictions]
    # the text of subwords is raw; words at whitespace are the tokens of the data
    tokenize: Tokenization = "none" if problem.target_vocabulary.subwords is None else "13a"
    return text_scores(
        [p.scored for p in predictions],
        references,
        words=words and bleu_is_defined(references, tokenize),
        tokenize=tokenize,
        lowercase=problem.target_vocabulary.reading.lowercase,
    )
