"""Forecast the test windows of a time series and score them."""

from __future__ import annotations

import time

import numpy as np

from job.evaluation.outcome import Evaluation
from job.evaluation.scores import mae, rmse
from job.inference.numbers import Forecaster
from job.problems.base import Windows
from job.problems.windows import Series, Values
from job.results.predictions import Prediction


def persistence(history: Values, length: int) -> Values:
    """Return the persistence forecast: the last known value, repeated.

    Args:
        history: (n, S, F) float64; column 0 is the forecast one.
        length: number of values to forecast.

    Returns:
        (n, length) float64.
    """
    return np.repeat(history[:, -1, :1], length, axis=1)


def evaluate_forecasts(forecaster: Forecaster, test: Windows) -> Evaluation:
    """Forecast every test window from its true history, and score the values that the series has.

    Args:
        forecaster: the model.
        test: the test windows, at least one.
    """
    series, forecast = forecaster.series, forecaster.forecast
    began = time.perf_counter()
    forecast(test.history[:1])
    compiled = time.perf_counter()
    predicted = forecast(test.history)
    finished = time.perf_counter()
    naive = persistence(test.history, series.target_length)
    metrics = {
        "rmse": rmse(predicted, test.future),
        "persistence_rmse": rmse(naive, test.future),
        "mae": mae(predicted, test.future),
        "persistence_mae": mae(naive, test.future),
    }
    return Evaluation(
        metrics=metrics,
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
    """Write an array row by row; reading the numbers returns the exact values."""
    return " ".join(map(repr, values.ravel().tolist()))
