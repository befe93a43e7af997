"""The outcome of decoding and scoring a test set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from job.results.data_facts import Separators, TokenCounts
from job.results.predictions import Prediction
from job.results.validation_result import ValidationResult


@dataclass(frozen=True, kw_only=True)
class TokenFacts:
    """Facts about the tokens of a test set; nothing for numbers.

    Args:
        separators: see `DataFacts.separators`.
        test_tokens: see `DataFacts.test_tokens`.
        unknown_tokens: see `DataFacts.unknown_tokens`.
    """

    separators: Separators | None = None
    test_tokens: TokenCounts | None = None
    unknown_tokens: TokenCounts | None = None


@dataclass(frozen=True, kw_only=True)
class DecodedValidation:
    """The decoded and scored validation examples.

    Args:
        result: their scores, for the record.
        predictions: one for each example, in their order.
    """

    result: ValidationResult
    predictions: tuple[Prediction, ...] = ()


NOT_DECODED = DecodedValidation(result=ValidationResult(reason="the problem has no validation examples"))
"""What there is without validation examples."""


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """A decoded and scored test set.

    Args:
        metrics: metric (see `job.metrics`) -> value, for the metrics that are defined for this test.
        predictions: one for each example, in the order of the test set.
        seen_in_training: number of test sources that occur in the training data; None for numbers.
        source_space: number of different sources that the problem has; None if unknown.
        compile_seconds: time of the first decoding, with tracing; 0 if it was compiled before.
        decode_seconds: time of decoding the whole test set once compiled.
        signatures: metric -> the signature of the library that computed it.
        analysis: see `job.evaluation.error_analysis`.
        also: the same model at other sizes: `sizes`, `examples` and `metrics` of each.
        attention: attention weights of the first samples, see `job.evaluation.attention_samples`.
        contexts: content of `contexts.json`, see `job.evaluation.context_projection`.
        decode_speeds: sequences per second of each full part of the test set.
        not_measured: metric -> the reason why it is not defined for this test, as a clause.
        tokens: facts about the tokens of the test set.
        validation: the validation examples, decoded and scored in the same way.
    """

    metrics: dict[str, float]
    predictions: tuple[Prediction, ...]
    seen_in_training: int | None
    source_space: int | None
    compile_seconds: float
    decode_seconds: float
    signatures: dict[str, str] = field(default_factory=dict)
    analysis: dict[str, Any] = field(default_factory=dict)
    also: tuple[dict[str, Any], ...] = ()
    attention: tuple[dict[str, Any], ...] = ()
    contexts: dict[str, Any] = field(default_factory=dict)
    decode_speeds: tuple[float, ...] = ()
    not_measured: dict[str, str] = field(default_factory=dict)
    tokens: TokenFacts = field(default_factory=TokenFacts)
    validation: DecodedValidation = field(default_factory=lambda: NOT_DECODED)
