"""Forecast windows of a time series, of the test and of validation, and score them."""

from __future__ import annotations

import time

import numpy as np

from job.evaluation.outcome import DecodedValidation, Evaluation
from job.evaluation.scores import mae, rmse
from job.evaluation.timed_decoding import ALONE, PART_SIZE, Spread, in_order
from job.inference.numbers import Forecaster, SeriesForecaster
from job.problems.base import Windows
from job.problems.example_texts import window_texts
from job.problems.windows import Series, Values
from job.results.predictions import Prediction
from job.results.validation_result import ValidationResult


def persistence(history: Values, length: int) -> Values:
    """Return the persistence forecast: the last known value, repeated.

    Args:
        history: (n, S, F) float64; column 0 is the forecast one.
        length: number of values to forecast.

    Returns:
        (n, length) float64.
    """
    return np.repeat(history[:, -1, :1], length, axis=1)


def score_forecasts(windows: Windows, predicted: Values) -> dict[str, float]:
    """Return the errors of forecasts and of the persistence forecast, over the values that the series has.

    Args:
        windows: n > 0 windows.
        predicted: their forecasts, (n, T) float64.
    """
    naive = persistence(windows.history, windows.future.shape[1])
    return {
        "rmse": rmse(predicted, windows.future),
        "persistence_rmse": rmse(naive, windows.future),
        "mae": mae(predicted, windows.future),
        "persistence_mae": mae(naive, windows.future),
    }


def forecast_spread(forecaster: SeriesForecaster, history: Values, spread: Spread) -> Values:
    """Forecast the windows after histories (n, S, F), in parts; return them in order, (n, T) float64.

    In processes other than the first one the result has no rows.
    """
    forecast = forecaster.forecast
    parts = [
        np.arange(first, min(first + PART_SIZE, len(history))) for first in range(0, len(history), PART_SIZE)
    ]
    rounds = spread.rounds(parts, lambda part: forecast(history[part]))
    return in_order(parts, [rows for found in rounds for rows in found])


def evaluate_forecasts(forecaster: Forecaster, test: Windows, spread: Spread = ALONE) -> Evaluation:
    """Forecast every test window from its true history, and score the values that the series has.

    Args:
        forecaster: the model.
        test: the test windows, at least one.
        spread: the processes that forecast.
    """
    series = forecaster.series
    began = time.perf_counter()
    forecaster.forecast(test.history[:1])
    compiled = time.perf_counter()
    predicted = forecast_spread(forecaster, test.history, spread)
    finished = time.perf_counter()
    return Evaluation(
        metrics=score_forecasts(test, predicted),
        predictions=forecast_predictions(series, test, predicted),
        seen_in_training=None,
        source_space=None,
        compile_seconds=compiled - began,
        decode_seconds=finished - compiled,
    )


def forecast_validation(
    forecaster: Forecaster, validation: Windows, spread: Spread = ALONE
) -> DecodedValidation:
    """Forecast the validation windows and score them as `evaluate_forecasts` scores the test.

    Args:
        forecaster: the model.
        validation: the windows; there may be none.
        spread: the processes that forecast.
    """
    if not len(validation):
        return DecodedValidation(result=ValidationResult(reason="problem.validation is 0"))
    predicted = forecast_spread(forecaster, validation.history, spread)
    result = ValidationResult(examples=len(validation), metrics=score_forecasts(validation, predicted))
    return DecodedValidation(
        result=result, predictions=forecast_predictions(forecaster.series, validation, predicted)
    )


def forecast_predictions(series: Series, test: Windows, predicted: Values) -> tuple[Prediction, ...]:
    """Return a prediction for each window, of the values that the series has.

    Args:
        series: of the model.
        test: n windows.
        predicted: their forecasts, (n, T) float64.
    """
    rows = []
    for i, future in enumerate(test.future):
        source, (target,) = window_texts(test, i)
        written = series.write(predicted[i, ~np.isnan(future)])
        rows.append(Prediction(id=str(i), source=source, target=target, predicted=written, correct=None))
    return tuple(rows)
