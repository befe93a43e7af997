"""What one side of a comparison lacks: a metric that is missing or not finite, predictions that are numbers.

Where the baseline lacks it, nothing can be compared; where the candidate does, it is worse than the baseline.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from job.results.records import JobResult, Prediction

LEADING = ("sequence_accuracy", "rmse")
"""Metrics of which every finished job has one."""

TESTED = (*LEADING, "edit_rate", "chrf", "mae")
"""Metrics that are compared and that a job has whatever its model predicts."""


def is_measured(metrics: Mapping[str, float], name: str) -> bool:
    """Return whether a metric is there and finite."""
    return name in metrics and math.isfinite(metrics[name])


def baseline_flaw(before: JobResult, predictions: Sequence[Prediction] = ()) -> str:
    """Say why a job's baseline cannot be compared with; empty where it can.

    Args:
        before: the baseline's result.
        predictions: its, of the examples that are compared.
    """
    if not any(is_measured(before.metrics, name) for name in LEADING):
        return f"the baseline has no finite {' or '.join(LEADING)} of it; run its batch again"
    found = _prediction_flaw(predictions, predictions)
    return f"the baseline's {found}; run its batch again" if found else ""


def candidate_flaw(
    before: JobResult, now: JobResult, predictions: Sequence[Prediction], earlier: Sequence[Prediction]
) -> str:
    """Say what a job lacks that its baseline has; empty where it lacks nothing.

    Args:
        before, now: the results of the baseline and of the candidate.
        predictions, earlier: the candidate's and the baseline's, of the examples that are compared.
    """
    for name in TESTED:
        if is_measured(before.metrics, name) and not is_measured(now.metrics, name):
            return f"{name} was {before.metrics[name]:.6g} and is missing or not a finite number now"
    return _prediction_flaw(predictions, earlier)


def failure_flaw(now: JobResult) -> str:
    """Say that a job failed because a number of its training or evaluation was not finite, if it did."""
    if now.status == "failed" and now.error is not None and now.error.type in _NOT_FINITE:
        return f"the job failed: {now.error.summary}"
    return ""


_NOT_FINITE = ("NonFiniteError", "ResultError")


def _prediction_flaw(predictions: Sequence[Prediction], earlier: Sequence[Prediction]) -> str:
    for prediction, other in zip(predictions, earlier, strict=True):
        if (prediction.correct is None) != (other.correct is None):
            return f"prediction of example {prediction.id} does not say whether it is right"
        if prediction.correct is None and not _are_numbers(prediction):
            return f"prediction of example {prediction.id} is not as many finite numbers as its target"
    return ""


def _are_numbers(prediction: Prediction) -> bool:
    try:
        predicted, target = (
            np.array(text.split(), np.float64) for text in (prediction.predicted, prediction.target)
        )
    except ValueError:
        return False
    return len(predicted) == len(target) and bool(np.isfinite([*predicted, *target]).all())
