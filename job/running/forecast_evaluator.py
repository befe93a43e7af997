"""Evaluation of a job's model that forecasts numbers: test and validation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from job.evaluation.forecast_evaluation import evaluate_forecasts, forecast_spread, forecast_validation
from job.evaluation.outcome import Evaluation
from job.evaluation.timed_decoding import Spread
from job.inference.numbers import Forecaster
from job.problems.base import Windows


@dataclass(frozen=True, kw_only=True)
class ForecastEvaluator:
    """Evaluation of forecasts of numbers.

    Args:
        model: the model.
        test: windows of the test rows.
        validation: windows of the validation rows.
        spread: the processes that forecast.
    """

    model: Forecaster
    test: Windows
    validation: Windows
    spread: Spread

    @property
    def model_record(self) -> dict[str, Any]:
        """Content of `vocabulary.json`."""
        return self.model.to_json()

    def compile(self) -> None:
        """Do nothing: the first forecast compiles all that there is."""

    def evaluate(self, epochs: int, on_decoded: Callable[[float], None] = lambda _: None) -> Evaluation:
        """Forecast the windows of test and validation, and score them: too fast for reports."""
        self.spread.share_weights((self.model.encoder, self.model.decoder))
        evaluation = evaluate_forecasts(self.model, self.test, self.spread)
        validation = forecast_validation(self.model, self.validation, self.spread)
        return replace(evaluation, validation=validation)

    def take_part(self) -> None:
        """Compute this process's share of the forecasts of `evaluate`, in the same order."""
        self.spread.share_weights((self.model.encoder, self.model.decoder))
        for windows in (self.test, self.validation):
            forecast_spread(self.model, windows.history, self.spread)
