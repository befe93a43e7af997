"""One job before and now -> what the tests of its metrics and its speeds find."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from job.evaluation.scores import (
    BY_COUNTS,
    Floats,
    bleu_is_defined,
    edit_distances,
    per_token,
    power_of_two,
    text_counts,
)
from job.gating.bootstrap import root_mean_square, score_of_counts, total_per_unit
from job.gating.significance_tests import SignificanceResult, mcnemar, two_proportions
from job.metrics import METRICS
from job.results.records import FlippedExample, JobResult, MetricComparison, Prediction, SpeedComparison
from job.spec.schema import GateSpec, recorded_separator

Pair = tuple[Prediction, Prediction]
"""The predictions for one example, before and now."""

Predictions = Sequence[Prediction]

_SPLITTERS: dict[str, Callable[[str], list[str]]] = {"": list, " ": str.split}
"""What joins tokens -> what splits them again."""

_UNKNOWN = "<unk>"
"""What earlier versions recorded for a token that a vocabulary lacked."""

SPEEDS = ("train_examples_per_second", "decoded_sequences_per_second")
MACHINE = ("processor", "cores", "devices", "platform", "kernel")
"""Keys of a result's `environment` that say what machine it was made on."""


# --- metrics ------------------------------------------------------------------------------------------------


def paired(before: Predictions, now: Predictions) -> list[Pair]:
    """Return the predictions for the same examples: of one id, source and targets.

    Returns:
        nothing where not even all examples of the smaller side stand on the other.
    """
    known = {example.id: example for example in before}
    pairs = [_same_example(known[example.id], example) for example in now if example.id in known]
    found = [pair for pair in pairs if pair is not None]
    return found if len(found) == min(len(before), len(now)) else []


def _same_example(before: Prediction, now: Prediction) -> Pair | None:
    """Return two predictions with one source and the same targets, None where they are of two examples.

    Earlier versions recorded `<unk>` for a token of the data that a vocabulary lacked: what they recorded is
    read as the text of the data that the other side has.
    """
    if before.references != now.references:
        return None
    if (before.source, before.target) == (now.source, now.target):
        return before, now
    if _decoded(before, now):
        return replace(before, source=now.source, target=now.target), now
    if _decoded(now, before):
        return before, replace(now, source=before.source, target=before.target)
    return None


def _decoded(earlier: Prediction, later: Prediction) -> bool:
    return _with_unknowns(earlier.source, later.source) and _with_unknowns(earlier.target, later.target)


def _with_unknowns(text: str, data: str) -> bool:
    """Return whether a text is that of the data, with `<unk>` for some of its words or characters."""
    words, right = text.split(" "), data.split(" ")
    if len(words) == len(right) and all(
        word in (_UNKNOWN, other) for word, other in zip(words, right, strict=True)
    ):
        return True
    parts = map(re.escape, text.split(_UNKNOWN))
    return re.fullmatch(".".join(parts), data, re.DOTALL) is not None


def compare_pairs(pairs: Sequence[Pair], result: JobResult) -> dict[str, SignificanceResult]:
    """Test a job's metrics over the same examples.

    Args:
        pairs: at least one.
        result: the job's now, which says how a target splits into tokens and whether it is text.

    Returns:
        evidence by metric, the most important metric first.
    """
    if pairs[0][0].correct is None:
        return _compare_numbers(pairs)
    before, now = (np.array([pair[side].correct for pair in pairs], dtype=bool) for side in (0, 1))
    found = {"sequence_accuracy": mcnemar(before, now)}
    edits = _compare_edits(pairs, result)
    if edits is not None:
        found["edit_rate"] = edits
    if "chrf" in result.metrics:
        found |= _compare_texts(pairs, words="bleu" in result.metrics)
    return found


def target_splitter(result: JobResult) -> Callable[[str], list[str]] | None:
    """Return what splits a target of a job into tokens; None where only the problem knows, whose
    predictions then have their `edits`.

    The problem said so when it was evaluated. For results of earlier versions, which do not have that, the
    kind of problem says it.
    """
    recorded = result.data.get("separators")
    separator = (
        recorded.get("target")
        if isinstance(recorded, Mapping)
        else recorded_separator(result.spec.get("problem", {}))
    )
    return _SPLITTERS.get(separator) if isinstance(separator, str) else None


def _compare_edits(pairs: Sequence[Pair], result: JobResult) -> SignificanceResult | None:
    """Compare edit rates; None where one is not defined, or only the problem can split its targets.

    Each side counts the references that its own predictions are nearest to, as its result does.
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
    """Return edits and tokens of each side's examples, (2, n, 2) float64; None where they are not known."""
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
    """Return edit rates of summed counts (..., 2); of no token, the edits themselves."""
    edits, tokens = np.moveaxis(counts, -1, 0)
    rates: Floats = edits / np.maximum(tokens, 1.0)
    return rates


def _compare_texts(pairs: Sequence[Pair], *, words: bool) -> dict[str, SignificanceResult]:
    references = [before.targets for before, _ in pairs]
    words = words and bleu_is_defined(references)
    before, now = (
        text_counts([pair[side].scored for pair in pairs], references, words=words) for side in (0, 1)
    )
    return {metric: score_of_counts(before[metric], now[metric], BY_COUNTS[metric]) for metric in before}


def _compare_numbers(pairs: Sequence[Pair]) -> dict[str, SignificanceResult]:
    errors = [[_errors(prediction) for prediction in pair] for pair in pairs]
    unit = power_of_two(np.concatenate([error for pair in errors for error in pair]))
    errors = [[error / unit for error in pair] for pair in errors]  # squares of large ones overflow
    squared = np.array([[np.sum(error**2) for error in pair] for pair in errors])
    absolute = np.array([[np.sum(np.abs(error)) for error in pair] for pair in errors])
    values = sum(len(pair[0]) for pair in errors)
    found = {
        "rmse": root_mean_square(squared[:, 0], squared[:, 1], values),
        "mae": total_per_unit(absolute[:, 0], absolute[:, 1], values),
    }
    return {k: replace(e, before=e.before * unit, now=e.now * unit) for k, e in found.items()}


def _errors(prediction: Prediction) -> NDArray[np.float64]:
    predicted, target = (
        np.array(text.split(), np.float64) for text in (prediction.predicted, prediction.target)
    )
    return predicted - target


def compare_counts(before: JobResult, now: JobResult) -> dict[str, SignificanceResult]:
    """Test the share of right sequences over different examples, from the results alone.

    Returns:
        nothing for numbers, which cannot be compared without examples, and where counts are not known.
    """
    metric = "sequence_accuracy"
    shares = [result.metrics.get(metric, math.nan) for result in (before, now)]
    counts = [count_tested(result) for result in (before, now)]
    if not min(counts) or not all(0 <= share <= 1 for share in shares):
        return {}
    was, found = ((round(share * count), count) for share, count in zip(shares, counts, strict=True))
    return {metric: two_proportions(was, found)}


def count_tested(result: JobResult) -> int:
    """Return how many test examples a job had; 0 where its result does not say."""
    count = result.data.get("test_examples")
    return count if isinstance(count, int) and count > 0 else 0


def as_comparison(
    metric: str, evidence: SignificanceResult, gate: GateSpec, examples: int, *, paired: bool
) -> MetricComparison:
    """Put evidence into the report's form; the p-value is not adjusted yet."""
    return MetricComparison(
        metric=metric,
        test=evidence.test,
        before=evidence.before,
        now=evidence.now,
        difference=evidence.difference,
        p_value=evidence.p_value,
        adjusted_p_value=evidence.p_value,
        alpha=gate.alpha,
        min_effect=min_effect(metric, evidence.before, gate.min_drop),
        examples=examples,
        paired=paired,
        detail=evidence.detail,
        total_loss_p_value=evidence.total_loss_p_value,
    )


def min_effect(metric: str, before: float, min_drop: float) -> float:
    """Return the smallest change of a metric that counts, in its unit; see `gate.min_drop`."""
    unit = METRICS[metric].unit
    return min_drop if unit == "fraction" else 100 * min_drop if unit == "point" else min_drop * abs(before)


# --- examples that flipped ----------------------------------------------------------------------------------


def flipped(pairs: Sequence[Pair], *, lost: bool) -> Iterator[FlippedExample]:
    """Yield the examples that were right before and are wrong now, or the other way."""
    for before, now in pairs:
        if before.correct is lost and now.correct is (not lost):
            yield FlippedExample(now.id, now.source, now.target, before.predicted, now.predicted)


# --- speeds -------------------------------------------------------------------------------------------------


def other_machine(before: JobResult, now: JobResult) -> str:
    """Say what differs between the machines and versions of two results; empty where nothing does."""
    for key in MACHINE:
        was, found = before.environment.get(key), now.environment.get(key)
        if was != found:
            return f"{key} was {was} and is {found}"
    was, found = (result.environment.get("versions", {}) for result in (before, now))
    for key in {**was, **found}:
        if was.get(key) != found.get(key):
            return f"the version of {key} was {was.get(key)} and is {found.get(key)}"
    return ""


def compare_speeds(before: JobResult, now: JobResult, factor: float) -> Iterator[SpeedComparison]:
    """Yield the speeds that both results have; both are of one machine and its versions."""
    for metric in SPEEDS:
        was, found = before.timings.get(metric), now.timings.get(metric)
        if was and found:
            ranges = before.speed_ranges.get(metric), now.speed_ranges.get(metric)
            speed = SpeedComparison(metric, was, found, was / found, factor, *ranges, slower=False)
            yield speed_by_factor(speed, factor)


def speed_by_factor(speed: SpeedComparison, factor: float) -> SpeedComparison:
    """Return a speed with whether it counts as slower where that takes a factor."""
    before, now = speed.before_range, speed.now_range
    apart = before is not None and now is not None and now[1] < before[0]
    return replace(speed, factor=factor, slower=speed.ratio >= factor and apart)
