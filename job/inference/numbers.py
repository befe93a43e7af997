"""Run a trained model of numbers, or several together: histories to forecasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from job.decoding.rollout import rollout
from job.inference.contexts import Contexts
from job.inference.model_pair import Batches, ModelPair, listed
from job.problems.windows import Floats, Series, Values

ROWS = 256
"""Number of windows in a batch; a batch with fewer is filled up.

With a fixed shape the model is compiled only once, and a forecast does not depend on the other windows, so
`predict` returns exactly the forecasts of the evaluation.
"""

Forecast = Callable[[Values], Values]
"""Histories (n, S, F) float64 -> forecasts (n, T) float64, both in the unit of the data."""


@dataclass(frozen=True)
class SeriesForecaster:
    """What forecasts a series: one model, or several.

    Args:
        series: Columns, lengths and scaling of the series.
    """

    series: Series

    @property
    def forecast(self) -> Forecast:
        """A function from histories to forecasts."""
        raise NotImplementedError


@dataclass(frozen=True)
class Forecaster(SeriesForecaster, ModelPair):
    """A trained model of numbers: the two inference models and the scaling of the series."""

    def to_json(self) -> dict[str, Any]:
        """Return the content of `vocabulary.json`."""
        return {"target_kind": "numbers", "series": self.series.to_json()}

    def check(self) -> None:
        """Check one step with a source of zeros; see `ModelPair.check`."""
        _, steps, columns = self._signature.shape
        self.check_step(tf.zeros([1, steps, columns]), tf.zeros([1, 1, 1]), 1)

    @cached_property
    def forecast(self) -> Forecast:
        """A function from histories to forecasts, compiled."""
        function = tf.function(self._rollout, [self._signature], autograph=False)
        compiled = function.get_concrete_function()  # traced at once, so that threads can share it

        def forecast(history: Values) -> Values:
            batches = _batches(self.series.sources(history))
            parts = [compiled(tf.constant(part)).numpy()[:n] for part, n in batches]
            empty = np.zeros((0, self.series.target_length), np.float32)
            return self.series.forecasts(history, np.concatenate([empty, *parts]))

        return forecast

    @property
    def _signature(self) -> Any:
        steps = self.series.source_length - self.series.differencing
        return tf.TensorSpec([ROWS, steps, len(self.series.columns)], tf.float32)

    def _rollout(self, source: Any) -> Any:
        states, memory = self.begin(source)

        def step(values: Any, states: Any) -> tuple[Any, Any]:
            given = [values[:, None, None], *states, *memory]
            outputs, *rest = listed(self.decoder(given, training=False))
            return outputs[:, 0, 0], tuple(rest[: len(states)])

        return rollout(step, states, first=source[:, -1, 0], length=self.series.target_length)

    def contexts(self, history: Values) -> Contexts:
        """Return the context of each source, (n, S, F) float64 in the unit of the data, n > 0."""
        return self._compiled_contexts(_batches(self.series.sources(history)))

    def compile_encoding(self) -> None:
        """Compile what `contexts` needs, unless that was done before."""
        _ = self._compiled_contexts

    @cached_property
    def _compiled_contexts(self) -> Callable[[Batches], Contexts]:
        return self.compile_contexts(self._signature)


def _batches(sources: Floats) -> Iterator[tuple[Floats, int]]:
    """Yield batches of `ROWS` sources with their numbers of real rows; the last repeats its first row."""
    for first in range(0, len(sources), ROWS):
        part = sources[first : first + ROWS]
        yield np.concatenate([part, np.repeat(part[:1], ROWS - len(part), axis=0)]), len(part)
