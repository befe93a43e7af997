"""Test whether the metrics of a job changed: choose the significance test for each metric and apply it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from job.evaluation.scores import Floats, edit_distances, per_token, power_of_two
from job.evaluation.text_scores import (
    SCORE_FROM_COUNTS,
    Tokenization,
    bleu_is_defined,
    recorded_tokenization,
    text_counts,
)
from job.gating.bootstrap import root_mean_square, score_of_counts, total_per_unit
from job.gating.paired_examples import Pair
from job.gating.significance_tests import SignificanceResult, mcnemar, two_proportions
from job.metrics import METRICS
from job.results.comparison_records import MetricComparison
from job.results.job_result import JobResult
from job.results.predictions import Prediction
from job.spec.gate_section import GateSpec
from job.spec.problem_sections import recorded_separator

_SPLITTERS: dict[str, Callable[[str], list[str]]] = {"": list, " ": str.split}
"""Function that splits text into tokens, by the separator that joined them."""


def compare_pairs(pairs: Sequence[Pair], result: JobResult) -> dict[str, SignificanceResult]:
    """Test the metrics of a job on the same examples.

    Args:
        pairs: at least one.
        result: of the candidate; it records how targets split into tokens and which scores of text it has.

    Returns:
        test results by metric, the most important metric first.
    """
    if pairs[0][0].correct is None:
        return _compare_numbers(pairs)
    before, now = (np.array([pair[side].correct for pair in pairs], dtype=bool) for side in (0, 1))
    found = {"sequence_accuracy": mcnemar(before, now)}
    edits = _compare_edits(pairs, result)
    if edits is not None:
        found["edit_rate"] = edits
    if "chrf" in result.metrics:
        tokenize = recorded_tokenization(result.data.signatures)
        found |= _compare_texts(pairs, words="bleu" in result.metrics, tokenize=tokenize)
    return found


def target_splitter(result: JobResult) -> Callable[[str], list[str]] | None:
    """Return the function that splits a job's targets into tokens.

    The separator is the one recorded at evaluation, or, in a result of a version that did not record it, that
    of the kind of problem.

    Returns:
        None if only the problem itself can split its targets; its predictions then record their `edits`.
    """
    recorded = result.data.separators
    separator = recorded.target if recorded else recorded_separator(result.spec.get("problem", {}))
    return _SPLITTERS.get(separator) if isinstance(separator, str) else None


def _compare_edits(pairs: Sequence[Pair], result: JobResult) -> SignificanceResult | None:
    """Compare edit rates; return None if one of them is undefined, or its counts are unknown.

    As in the evaluation, each prediction is scored against the reference target nearest to it, which may be
    another one on each side. Then the numbers of tokens differ and are resampled with the edits.
    """
    counts = _edit_counts(pairs, target_splitter(result))
    if counts is None or any(
        per_token(edits, tokens) is None for edits, tokens in counts.sum(axis=1).tolist()
    ):
        return None
    before, now = counts
    if np.array_equal(before[:, 1], now[:, 1]):
        return total_per_unit(before[:, 0], now[:, 0], max(1.0, before[:, 1].sum()))
    return score_of_counts(before, now, _edits_per_token)


def _edit_counts(pairs: Sequence[Pair], split: Callable[[str], list[str]] | None) -> Floats | None:
    """Count edits and tokens of the examples.

    Args:
        pairs: of n examples.
        split: see `target_splitter`.

    Returns:
        (2, n, 2) float64: baseline and candidate, examples, (edits, tokens); None if they are unknown.
    """
    counts = np.zeros((2, len(pairs), 2))
    for i, pair in enumerate(pairs):
        for side, prediction in enumerate(pair):
            if split is not None:
                right = [[split(text) for text in pair[0].targets]]
                counts[side, i] = edit_distances([split(prediction.scored)], right)
            elif prediction.edits is not None:
                counts[side, i] = prediction.edits
            else:
                return None
    return counts


def _edits_per_token(counts: Floats) -> Floats:
    """Return the edit rates (...) of summed edits and tokens (..., 2); of no tokens, the number of edits."""
    edits, tokens = np.moveaxis(counts, -1, 0)
    rates: Floats = edits / np.maximum(tokens, 1.0)
    return rates


def _compare_texts(
    pairs: Sequence[Pair], *, words: bool, tokenize: Tokenization
) -> dict[str, SignificanceResult]:
    """Compare chrF and, if `words` is set and it is defined for these references, BLEU."""
    references = [before.targets for before, _ in pairs]
    words = words and bleu_is_defined(references, tokenize)
    before, now = (
        text_counts([pair[side].scored for pair in pairs], references, words=words, tokenize=tokenize)
        for side in (0, 1)
    )
    return {
        metric: score_of_counts(before[metric], now[metric], SCORE_FROM_COUNTS[metric]) for metric in before
    }


def _compare_numbers(pairs: Sequence[Pair]) -> dict[str, SignificanceResult]:
    """Compare RMSE and MAE of predicted numbers.

    Errors are scaled by a power of two, which is exact, so that the squares of large ones do not overflow.
    """
    errors = [[_errors(prediction) for prediction in pair] for pair in pairs]
    unit = power_of_two(np.concatenate([error for pair in errors for error in pair]))
    errors = [[error / unit for error in pair] for pair in errors]
    squared = np.array([[np.sum(error**2) for error in pair] for pair in errors])
    absolute = np.array([[np.sum(np.abs(error)) for error in pair] for pair in errors])
    values = sum(len(pair[0]) for pair in errors)
    found = {
        "rmse": root_mean_square(squared[:, 0], squared[:, 1], values),
        "mae": total_per_unit(absolute[:, 0], absolute[:, 1], values),
    }
    return {k: replace(e, before=e.before * unit, now=e.now * unit) for k, e in found.items()}


def _errors(prediction: Prediction) -> Floats:
    """Return predicted minus target values (k,) of one example."""
    predicted, target = (
        np.array(text.split(), np.float64) for text in (prediction.predicted, prediction.target)
    )
    return predicted - target


def compare_counts(before: JobResult, now: JobResult) -> dict[str, SignificanceResult]:
    """Test sequence accuracy on different examples, from the two results alone.

    Returns:
        the test result by metric; empty for regression, whose errors are compared example by example, and if
        a result does not record its number of test examples.
    """
    metric = "sequence_accuracy"
    shares = [result.metrics.get(metric, math.nan) for result in (before, now)]
    counts = [count_test_examples(result) for result in (before, now)]
    if not min(counts) or not all(0 <= share <= 1 for share in shares):
        return {}
    was, found = ((round(share * count), count) for share, count in zip(shares, counts, strict=True))
    return {metric: two_proportions(was, found)}


def count_test_examples(result: JobResult) -> int:
    """Return the number of test examples of a job; 0 if its result does not record it."""
    return result.data.test_examples or 0


def metric_comparison(
    metric: str, found: SignificanceResult, gate: GateSpec, examples: int, *, paired: bool
) -> MetricComparison:
    """Return the record of a test for the report; its p-value is not adjusted for the other tests yet.

    Args:
        metric: name of the metric.
        found: result of its test.
        gate: of the job; sets `alpha` and the smallest change that counts.
        examples: number of examples compared, on the smaller side.
        paired: whether they are the same on both sides.
    """
    return MetricComparison(
        metric=metric,
        test=found.test,
        before=found.before,
        now=found.now,
        difference=found.difference,
        p_value=found.p_value,
        adjusted_p_value=found.p_value,
        alpha=gate.alpha,
        min_effect=min_effect(metric, found.before, gate.min_drop),
        examples=examples,
        paired=paired,
        detail=found.detail,
        total_loss_p_value=found.total_loss_p_value,
    )


def min_effect(metric: str, before: float, min_drop: float) -> float:
    """Return the smallest change of a metric that counts as a change, in the metric's unit.

    Args:
        metric: name of the metric.
        before: its value in the baseline.
        min_drop: of the gate, a fraction: absolute for shares, 100 times that for scores from 0 to 100, and
            relative to the baseline for errors and times.
    """
    unit = METRICS[metric].unit
    return min_drop if unit == "fraction" else 100 * min_drop if unit == "point" else min_drop * abs(before)
