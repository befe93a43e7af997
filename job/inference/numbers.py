"""Run a trained model of numbers: histories to forecasts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from job.decoding.rollout import rollout
from job.errors import InputError
from job.inference.model_pair import (
    Batches,
    Contexts,
    ModelPair,
    in_chunks,
    joined,
    load_pair,
    write_contexts,
)
from job.problems import csv_columns as columns
from job.problems.windows import MAX_MODEL_VALUE, Floats, Series, Values

ROWS = 256
"""Number of windows in a batch; a smaller batch is filled up.

Batches of one shape are compiled once, and the forecast of a window does not depend on the other windows, so
`predict` returns exactly the forecasts of the evaluation.
"""

Forecast = Callable[[Values], Values]
"""History (n, S, F) float64 -> forecasts (n, T) float64, both in the data's own unit."""


@dataclass(frozen=True)
class Forecaster(ModelPair):
    """A trained model of numbers: the two inference models and the scaling of the series."""

    series: Series

    def to_json(self) -> dict[str, Any]:
        """Return the content of `vocabulary.json`."""
        return {"target_kind": "numbers", "series": self.series.to_json()}

    def check(self) -> None:
        """Check one step with a source of zeros; see `ModelPair.check`."""
        _, steps, columns = self._signature.shape
        self.check_step(tf.zeros([1, steps, columns]), tf.zeros([1, 1, 1]), 1)

    @cached_property
    def forecast(self) -> Forecast:
        """The compiled function from histories to forecasts."""
        compiled = tf.function(self._rollout, [self._signature], autograph=False)

        def forecast(history: Values) -> Values:
            parts = [compiled(part).numpy()[:n] for part, n in _batches(self.series.sources(history))]
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
            outputs, *rest = self.decoder([values[:, None, None], *states, *memory], training=False)
            return outputs[:, 0, 0], tuple(rest[: len(states)])

        return rollout(step, states, first=source[:, -1, 0], length=self.series.target_length)

    def contexts(self, history: Values) -> Contexts:
        """Return the context of each source, (n, S, F) float64 in the data's own unit, n > 0."""
        return self._compiled_contexts(_batches(self.series.sources(history)))

    @cached_property
    def _compiled_contexts(self) -> Callable[[Batches], Contexts]:
        return self.compile_contexts(self._signature)

    def predict_lines(
        self, lines: Iterable[str], name: str, n_best: int | None = None, first: int = 1
    ) -> Iterator[str]:
        """Yield forecasts for lines of numbers; see `job.inference.loading.Usable` and `read_histories`.

        Raises:
            InputError: several targets were asked for, a line cannot be read, or its forecast is not finite.
        """
        if n_best is not None:
            raise InputError("--n-best: a model of numbers has one forecast for a source; leave it out")
        numbers = count(first)
        for chunk in in_chunks(read_histories(lines, self.series, name, first), ROWS):
            found = iter(self.forecast(self._stacked(chunk)))
            for history, number in zip(chunk, numbers, strict=False):  # in this order: none is lost
                yield "" if history is None else self._written(next(found), f"{name}:{number}")

    def _written(self, forecast: Values, place: str) -> str:
        if not np.isfinite(forecast).all():
            raise InputError(
                f"{place}: the forecast is not a finite number; expected numbers like the training data's"
            )
        return self.series.write(forecast)

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Write the contexts of lines of numbers; see `job.inference.loading.Usable`."""
        ids, first = list[int](), 0
        parts = list[Contexts]()
        for chunk in in_chunks(read_histories(lines, self.series, name), ROWS):
            full = [first + i for i, history in enumerate(chunk) if history is not None]
            parts += [self.contexts(self._stacked(chunk))] if full else []
            ids, first = ids + full, first + len(chunk)
        write_contexts(output, ids, joined(parts))
        return len(ids)

    def _stacked(self, histories: Iterable[Values | None]) -> Values:
        """Return the histories that are not None as one array, (n, S, F)."""
        shape = (-1, self.series.source_length, len(self.series.columns))
        return np.array([history for history in histories if history is not None]).reshape(shape)


def load_forecaster(directory: Path) -> Forecaster:
    """Load a model of numbers; arguments and errors: see `job.inference.loading.load`."""
    return load_pair(directory, lambda record: Series.from_json(record["series"]), Forecaster)


def _batches(sources: Floats) -> Iterator[tuple[Floats, int]]:
    """Yield batches of `ROWS` sources with their numbers of real rows; the last repeats its first row."""
    for first in range(0, len(sources), ROWS):
        part = sources[first : first + ROWS]
        yield np.concatenate([part, np.repeat(part[:1], ROWS - len(part), axis=0)]), len(part)


def read_histories(
    lines: Iterable[str], series: Series, name: str, first: int = 1
) -> Iterator[Values | None]:
    """Yield the source of each line, (S, F) float64; None for an empty line.

    Args:
        lines: S times F numbers in the data's own unit, separated by whitespace: the first row's columns in
            the order of `series.columns`, then the second's.
        series: the model's.
        name: of the input, for errors.
        first: the number of the first line, for errors.

    Raises:
        InputError: something that is no finite number, a number that is too large, or more or fewer numbers
            than the model reads.
    """
    rows, width = series.source_length, len(series.columns)
    for number, line in enumerate(lines, first):
        words = line.split()
        if not words:
            yield None
            continue
        values = [_number(word, f"{name}:{number}") for word in words]
        if len(values) != rows * width:
            each = f" ({rows} rows of {', '.join(series.columns)})" if width > 1 else ""
            raise InputError(
                f"{name}:{number}: {len(values)} numbers, but this model reads exactly {rows * width}{each}"
            )
        history = np.array(values).reshape(rows, width)
        if series.logarithm and history[:, 0].min() <= 0:
            least = f"{series.columns[0]} is {history[:, 0].min():g}"
            raise InputError(f"{name}:{number}: {least}, which has no logarithm; expected numbers above 0")
        if not (np.abs(series.scaled(history)) <= MAX_MODEL_VALUE).all():
            raise InputError(
                f"{name}:{number}: a number is too large for this model; expected numbers like the training "
                "data's"
            )
        yield history


def _number(word: str, place: str) -> float:
    value = float(word) if columns.is_written_as_number(word) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: {word!r} is not a number that the model can read")
    if abs(value) > columns.MAX_MAGNITUDE:
        raise InputError(
            f"{place}: {word} is too large; expected a magnitude of {columns.MAX_MAGNITUDE:g} at most"
        )
    return value
