"""Evaluate forecasts by walking forward over a series of numbers."""

from __future__ import annotations

import time

import numpy as np

from job.evaluation import scores as metrics
from job.evaluation.outcome import Evaluation
from job.inference.numbers import Forecaster
from job.problems.base import Windows
from job.problems.windows import Series, Values
from job.results.records import Prediction


def persistence(history: Values, length: int) -> Values:
    """Return the forecast that nothing changes: the last known values, (n, S, F) -> (n, length)."""
    return np.repeat(history[:, -1, :1], length, axis=1)


def evaluate_forecasts(forecaster: Forecaster, test: Windows) -> Evaluation:
    """Forecast every window of `test`, and score all values that the series still has.

    Args:
        forecaster: the model.
        test: at least one window.
    """
    series, forecast = forecaster.series, forecaster.forecast
    began = time.perf_counter()
    forecast(test.history[:1])
    compiled = time.perf_counter()
    predicted = forecast(test.history)
    finished = time.perf_counter()
    naive = persistence(test.history, series.target_length)
    scores = {
        "rmse": metrics.rmse(predicted, test.future),
        "persistence_rmse": metrics.rmse(naive, test.future),
        "mae": metrics.mae(predicted, test.future),
        "persistence_mae": metrics.mae(naive, test.future),
    }
    return Evaluation(
        metrics=scores,
        predictions=_predictions(series, test, predicted),
        seen_in_training=None,
        source_space=None,
        compile_seconds=compiled - began,
        decode_seconds=finished - compiled,
    )


def _predictions(series: Series, test: Windows, predicted: Values) -> tuple[Prediction, ...]:
    rows = []
    for i, future in enumerate(test.future):
        known = ~np.isnan(future)
        rows.append(
            Prediction(
                id=str(i),
                source=_exactly(test.history[i]),
                target=_exactly(future[known]),
                predicted=series.write(predicted[i, known]),
                correct=None,
            )
        )
    return tuple(rows)


def _exactly(values: Values) -> str:
    """Return the numbers of an array, row by row, so that reading them gives them back."""
    return " ".join(map(repr, values.ravel().tolist()))
