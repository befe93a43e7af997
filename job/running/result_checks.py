"""Checks that the numbers of a trained job are finite and that JSON can hold its record."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.errors import ResultError
from job.metrics import leading_metric
from job.results.finite_numbers import nonfinite_places
from job.results.trained_job import TrainedJob

_REMEDY = "lower training.optimizer.learning_rate or set training.optimizer.clip_norm"


def check_weights(weights: Iterable[NDArray[Any]]) -> None:
    """Check that a model's weights are finite: predictions do not show it if they are not.

    Raises:
        ResultError: a weight is not finite.
    """
    if not all(np.isfinite(weight).all() for weight in weights):
        raise ResultError(f"a weight of the model is not a finite number after training: {_REMEDY}")


def check_contexts(states: Mapping[str, NDArray[np.float32]]) -> None:
    """Check that the context vectors of test sources are finite.

    Args:
        states: state name -> the encoder's final states, (n, units) float32.

    Raises:
        ResultError: a state is not finite.
    """
    if not all(np.isfinite(state).all() for state in states.values()):
        raise ResultError(f"the context vector of a test source is not finite: {_REMEDY}")


def check_trained(trained: TrainedJob) -> None:
    """Check that a job has its leading metric, that its numbers are finite and that JSON can hold them.

    Raises:
        ResultError: one of these does not hold; names the place.
    """
    kind = trained.spec["problem"]["kind"]
    leading = leading_metric(kind)
    if leading not in trained.metrics:
        raise ResultError(f"the evaluation gave no {leading}, by which the job is judged")
    sections = {"data": trained.data.to_record(), "validation": asdict(trained.validation)}
    place = next(nonfinite_places({**trained.metrics, **vars(trained), **sections}), None)
    if place is not None:
        described = kind == "plugin" and place.startswith("data.")
        remedy = "the problem's describe() must return finite numbers" if described else _REMEDY
        raise ResultError(f"{place} is not a finite number after training: {remedy}")
    try:
        json.dumps(asdict(trained), ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ResultError(f"the result cannot be written as JSON: {error}") from error
