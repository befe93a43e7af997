"""Find what makes a result invalid for a comparison: missing or non-finite metrics, unreadable predictions.

A baseline with a flaw makes a job not comparable; a flaw of the candidate is a regression.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from job.results.job_result import JobResult
from job.results.predictions import Prediction

LEADING = ("sequence_accuracy", "rmse")
"""Metrics one of which every finished job has."""

COMPARED = (*LEADING, "edit_rate", "chrf", "mae")
"""Compared metrics that are defined whatever the model predicts; BLEU is not."""

_NOT_FINITE_ERRORS = ("NonFiniteError", "ResultError")
"""Types of the errors of a job that failed because of a number that was not finite."""


def is_measured(metrics: Mapping[str, float], name: str) -> bool:
    """Return whether a metric is present and finite."""
    return name in metrics and math.isfinite(metrics[name])


def baseline_flaw(before: JobResult, predictions: Sequence[Prediction] = ()) -> str:
    """Return why a job cannot be compared with its baseline's result, as a clause; empty if it can.

    Args:
        before: the baseline's result.
        predictions: the baseline's, for the examples that are compared.
    """
    if not any(is_measured(before.metrics, name) for name in LEADING):
        return f"the baseline has no finite {' or '.join(LEADING)} of it; run its batch again"
    found = _prediction_flaw(predictions, predictions)
    return f"the baseline's {found}; run its batch again" if found else ""


def candidate_flaw(
    before: JobResult, now: JobResult, predictions: Sequence[Prediction], earlier: Sequence[Prediction]
) -> str:
    """Return what a candidate's result lacks that its baseline has, as a clause; empty if it lacks nothing.

    Args:
        before, now: results of the baseline and of the candidate.
        predictions, earlier: of the candidate and of the baseline, for the examples that are compared.
    """
    for name in COMPARED:
        if is_measured(before.metrics, name) and not is_measured(now.metrics, name):
            return f"{name} was {before.metrics[name]:.6g} and is missing or not a finite number now"
    return _prediction_flaw(predictions, earlier)


def failure_flaw(now: JobResult) -> str:
    """Return the error of a job that failed because a number was not finite, as a clause; else empty."""
    if now.status == "failed" and now.error is not None and now.error.type in _NOT_FINITE_ERRORS:
        return f"the job failed: {now.error.summary}"
    return ""


def _prediction_flaw(predictions: Sequence[Prediction], earlier: Sequence[Prediction]) -> str:
    """Return the first flaw of some predictions, compared with earlier ones for the same examples."""
    for prediction, other in zip(predictions, earlier, strict=True):
        if (prediction.correct is None) != (other.correct is None):
            return f"prediction of example {prediction.id} does not say whether it is right"
        if prediction.correct is None and not _has_numbers(prediction):
            return f"prediction of example {prediction.id} is not as many finite numbers as its target"
    return ""


def _has_numbers(prediction: Prediction) -> bool:
    """Return whether prediction and target are equally many finite numbers."""
    try:
        predicted, target = (
            np.array(text.split(), np.float64) for text in (prediction.predicted, prediction.target)
        )
    except ValueError:
        return False
    return len(predicted) == len(target) and bool(np.isfinite([*predicted, *target]).all())
