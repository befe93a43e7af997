"""One job before and now -> what the tests of its metrics and its speeds find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.metrics import BY_COUNTS, edit_distances, text_counts
from job.results import FlippedExample, JobResult, MetricComparison, Prediction, SpeedComparison
from job.spec.metrics import METRICS
from job.spec.schema import GateSpec
from job.statistics import (
    Evidence,
    mcnemar,
    root_mean_square,
    score_of_counts,
    total_per_unit,
    two_proportions,
)

Pair = tuple[Prediction, Prediction]
"""The predictions for one example, before and now."""

Predictions = Sequence[Prediction]

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
    pairs = [
        (known[example.id], example)
        for example in now
        if example.id in known and _example(known[example.id]) == _example(example)
    ]
    return pairs if len(pairs) == min(len(before), len(now)) else []


def _example(prediction: Prediction) -> tuple[Any, ...]:
    return prediction.source, prediction.target, prediction.references


def compare_pairs(pairs: Sequence[Pair], result: JobResult) -> dict[str, Evidence]:
    """Test a job's metrics over the same examples.

    Args:
        pairs: at least one.
        result: the job's now, which says what a target's tokens are and whether they are text.

    Returns:
        evidence by metric, the most important metric first.
    """
    if pairs[0][0].correct is None:
        return _compare_numbers(pairs)
    before, now = (np.array([pair[side].correct for pair in pairs], dtype=bool) for side in (0, 1))
    found = {"sequence_accuracy": mcnemar(before, now)}
    split = _splitter(result.spec.get("problem", {}))
    if split is not None:
        found["edit_rate"] = _compare_edits(pairs, split)
    if "chrf" in result.metrics:
        found |= _compare_texts(pairs, words="bleu" in result.metrics)
    return found


def _splitter(problem: Mapping[str, Any]) -> Callable[[str], list[str]] | None:
    """Return what splits a target into tokens; None where that is a plugin's to know."""
    if problem.get("kind") == "plugin":
        return None
    return (
        list
        if problem.get("target_tokens") == "characters" or problem.get("kind") == "addition"
        else str.split
    )


def _compare_edits(pairs: Sequence[Pair], split: Callable[[str], list[str]]) -> Evidence:
    edits, tokens = np.zeros((2, len(pairs))), 0
    for i, (before, now) in enumerate(pairs):
        right = [[split(text) for text in before.targets]]
        edits[0, i], length = edit_distances([split(before.predicted)], right)
        edits[1, i], _ = edit_distances([split(now.predicted)], right)
        tokens += length
    return total_per_unit(edits[0], edits[1], max(1, tokens))


def _compare_texts(pairs: Sequence[Pair], *, words: bool) -> dict[str, Evidence]:
    references = [before.targets for before, _ in pairs]
    before, now = (
        text_counts([pair[side].predicted for pair in pairs], references, words=words) for side in (0, 1)
    )
    return {metric: score_of_counts(before[metric], now[metric], BY_COUNTS[metric]) for metric in before}


def _compare_numbers(pairs: Sequence[Pair]) -> dict[str, Evidence]:
    errors = [[_errors(prediction) for prediction in pair] for pair in pairs]
    squared = np.array([[np.sum(error**2) for error in pair] for pair in errors])
    absolute = np.array([[np.sum(np.abs(error)) for error in pair] for pair in errors])
    values = sum(len(pair[0]) for pair in errors)
    return {
        "rmse": root_mean_square(squared[:, 0], squared[:, 1], values),
        "mae": total_per_unit(absolute[:, 0], absolute[:, 1], values),
    }


def _errors(prediction: Prediction) -> NDArray[np.float64]:
    predicted, target = (
        np.array(text.split(), np.float64) for text in (prediction.predicted, prediction.target)
    )
    return predicted - target


def compare_counts(before: JobResult, now: JobResult) -> dict[str, Evidence]:
    """Test the share of right sequences over different examples, from the results alone.

    Returns:
        nothing for numbers, which cannot be compared without the examples.
    """
    metric = "sequence_accuracy"
    if metric not in before.metrics or metric not in now.metrics:
        return {}
    sides = [(result.metrics[metric], int(result.data["test_examples"])) for result in (before, now)]
    counts = [(round(share * count), count) for share, count in sides]
    return {metric: two_proportions(counts[0], counts[1])}


def as_comparison(
    metric: str, evidence: Evidence, gate: GateSpec, examples: int, *, paired: bool
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
