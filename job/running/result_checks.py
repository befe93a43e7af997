"""Whether what a trained job came to can be recorded: numbers that are all finite, in JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.errors import ResultError
from job.metrics import leading_metric
from job.results.finite_numbers import nonfinite_places
from job.results.records import JobResult

_REMEDY = "lower training.optimizer.learning_rate or set training.optimizer.clip_norm"


def check_weights(weights: Iterable[NDArray[Any]]) -> None:
    """Check that a model's weights are finite: predictions of one with others look like any.

    Raises:
        ResultError: they are not.
    """
    if not all(np.isfinite(weight).all() for weight in weights):
        raise ResultError(f"a weight of the model is not a finite number after training: {_REMEDY}")


def check_contexts(states: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that the context vectors of test sources are finite.

    Args:
        states: the encoder's states by name, each (n, H).

    Raises:
        ResultError: they are not.
    """
    if not all(np.isfinite(state).all() for state in states.values()):
        raise ResultError(f"the context vector of a test source is not finite: {_REMEDY}")


def check_result(result: JobResult) -> None:
    """Check that a trained job's leading metric is there, all its numbers are finite, and JSON can hold it.

    Raises:
        ResultError: says what is wrong.
    """
    kind = result.spec["problem"]["kind"]
    leading = leading_metric(kind)
    if leading not in result.metrics:
        raise ResultError(f"the evaluation gave no {leading}, by which the job is judged")
    place = next(nonfinite_places({**result.metrics, **vars(result)}), None)
    if place is not None:
        described = kind == "plugin" and place.startswith("data.")
        remedy = "the problem's describe() must return finite numbers" if described else _REMEDY
        raise ResultError(f"{place} is not a finite number after training: {remedy}")
    try:
        result.to_json().encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the result cannot be written as JSON: {error}") from error
