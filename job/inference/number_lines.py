"""Run a saved model of numbers on lines of text: forecasts and contexts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path

import numpy as np

from job.errors import InputError
from job.inference.contexts import Contexts, joined, write_contexts
from job.inference.numbers import ROWS, Forecaster, SeriesForecaster
from job.inference.pair_files import load_pair
from job.inference.source_chunks import in_chunks
from job.problems import csv_columns as columns
from job.problems.windows import MAX_MODEL_VALUE, Series, Values

MAX_SOURCES = ROWS
"""Maximum number of lines that are read before their forecasts are computed: one batch."""


class NumberLines(SeriesForecaster):
    """Forecasts for lines of text, by one model of numbers or several together."""

    def predict_lines(
        self, lines: Iterable[str], name: str, n_best: int | None = None, first: int = 1
    ) -> Iterator[str]:
        """Yield forecasts for lines of numbers; see `job.inference.loading.LoadedModel` and `read_histories`.

        Raises:
            InputError: `n_best` is given, a line cannot be read, or its forecast is not finite.
        """
        if n_best is not None:
            raise InputError("--n-best: a model of numbers has one forecast for a source; leave it out")
        histories = read_histories(lines, self.series, name, first)
        for forecast in self.forecasts(histories, name, first):
            yield "" if forecast is None else self.series.write(forecast)

    def forecasts(
        self, histories: Iterable[Values | None], name: str, first: int = 1
    ) -> Iterator[Values | None]:
        """Yield the forecast of each history, (T,) float64; None for None.

        Args:
            histories: Sources in the unit of the data, each (S, F).
            name: Name of the input, for errors.
            first: Number of the first source, for errors.

        Raises:
            InputError: A forecast is not finite.
        """
        numbers = count(first)
        for chunk in in_chunks(histories, MAX_SOURCES):
            found = iter(self.forecast(self.stacked(chunk)))
            for history, number in zip(chunk, numbers, strict=False):  # chunk first: no number is skipped
                yield None if history is None else _finite(next(found), f"{name}:{number}")

    def stacked(self, histories: Iterable[Values | None]) -> Values:
        """Return the histories that are not None as one array, (n, S, F)."""
        shape = (-1, self.series.source_length, len(self.series.columns))
        return np.array([history for history in histories if history is not None]).reshape(shape)


class SavedForecaster(NumberLines, Forecaster):
    """A saved model of numbers, for lines of text."""

    def encode_lines(self, lines: Iterable[str], name: str, output: Path) -> int:
        """Write the contexts of lines of numbers; see `job.inference.loading.LoadedModel`."""
        ids, first = list[int](), 0
        parts = list[Contexts]()
        for chunk in in_chunks(read_histories(lines, self.series, name), MAX_SOURCES):
            nonempty = [first + i for i, history in enumerate(chunk) if history is not None]
            parts += [self.contexts(self.stacked(chunk))] if nonempty else []
            ids, first = ids + nonempty, first + len(chunk)
        write_contexts(output, ids, joined(parts))
        return len(ids)


def load_forecaster(directory: Path) -> SavedForecaster:
    """Load a model of numbers; arguments and errors: see `job.inference.loading.load`."""
    return load_pair(directory, lambda record: Series.from_json(record["series"]), SavedForecaster)


def read_histories(
    lines: Iterable[str], series: Series, name: str, first: int = 1
) -> Iterator[Values | None]:
    """Yield the source of each line, (S, F) float64; None for an empty line.

    Args:
        lines: S * F numbers in the data's own unit, separated by whitespace: the values of the first row in
            the order of `series.columns`, then those of the second row, and so on.
        series: Series of the model.
        name: Name of the input, for errors.
        first: Number of the first line, for errors.

    Raises:
        InputError: A word is not a finite number, a number is too large for the model, or the model reads
            more or fewer numbers.
    """
    for number, line in enumerate(lines, first):
        words = line.split()
        if not words:
            yield None
            continue
        place = f"{name}:{number}"
        yield checked_history([_number(word, place) for word in words], series, place)


def checked_history(values: Sequence[float], series: Series, place: str) -> Values:
    """Return the numbers of a source as an array, (S, F) float64.

    Args:
        values: Finite numbers, row after row.
        series: Series of the model.
        place: Name of the source, for errors.

    Raises:
        InputError: See `read_histories`.
    """
    rows, width = series.source_length, len(series.columns)
    if len(values) != rows * width:
        each = f" ({rows} rows of {', '.join(series.columns)})" if width > 1 else ""
        raise InputError(f"{place}: {len(values)} numbers, but this model reads exactly {rows * width}{each}")
    history = np.array(values, np.float64).reshape(rows, width)
    if series.logarithm and history[:, 0].min() <= 0:
        least = f"{series.columns[0]} is {history[:, 0].min():g}"
        raise InputError(f"{place}: {least}, which has no logarithm; expected numbers above 0")
    if not (np.abs(series.scaled(history)) <= MAX_MODEL_VALUE).all():
        raise InputError(
            f"{place}: a number is too large for this model; expected numbers like the training data's"
        )
    return history


def _finite(forecast: Values, place: str) -> Values:
    if not np.isfinite(forecast).all():
        raise InputError(
            f"{place}: the forecast is not a finite number; expected numbers like the training data's"
        )
    return forecast


def _number(word: str, place: str) -> float:
    value = float(word) if columns.is_written_as_number(word) else math.nan
    if not math.isfinite(value):
        raise InputError(f"{place}: {word!r} is not a number that the model can read")
    return magnitude_checked(value, place, word)


def magnitude_checked(value: float, place: str, written: str = "") -> float:
    """Return a finite number unchanged; raise `InputError` if it is too large."""
    if abs(value) > columns.MAX_MAGNITUDE:
        found, most = written or value, columns.MAX_MAGNITUDE
        raise InputError(f"{place}: {found} is too large; expected a magnitude of {most:g} at most")
    return value
