"""A saved model of numbers in Python code: numbers or lines to forecasts and encodings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import NoReturn

import numpy as np

from job.errors import InputError
from job.inference.ensembles import no_context
from job.inference.number_lines import (
    MAX_SOURCES,
    NumberLines,
    SavedForecaster,
    checked_history,
    magnitude_checked,
    read_histories,
)
from job.inference.prediction import Encoding, Prediction
from job.inference.python_model import SOURCES, Model, Source
from job.inference.source_chunks import in_chunks
from job.problems.windows import Values


class NumberModel(Model):
    """A saved model of a time series.

    Args:
        saved: The loaded model.
    """

    def __init__(self, saved: NumberLines) -> None:
        self._saved = saved
        self._compiling = Lock()

    def predictions(
        self,
        sources: Iterable[Source],
        name: str,
        n_best: int | None,
        *,
        attention: bool = False,
        first: int = 1,
    ) -> Iterator[Prediction]:
        """Yield forecasts; see `Model.predictions`. An empty source has no values."""
        if n_best is not None:
            raise InputError("n-best: a model of numbers has one forecast for a source; leave it out")
        if attention:
            raise InputError("attention: there is none for a model of numbers; leave it out")
        return self._predicted(self._read(sources, name, first), name, first)

    def _predicted(self, histories: Iterable[Values | None], name: str, first: int) -> Iterator[Prediction]:
        with self._compiling:  # once for all threads
            _ = self._saved.forecast
        for forecast in self._saved.forecasts(histories, name, first):
            if forecast is None:
                yield Prediction(text="", values=np.zeros(0))
            else:
                yield Prediction(text=self._saved.series.write(forecast), values=forecast.copy())

    def encodings(self, sources: Iterable[Source]) -> Iterator[Encoding]:
        """Yield encodings; see `Model.encode`."""
        if not isinstance(self._saved, SavedForecaster):
            raise no_context()
        with self._compiling:
            self._saved.compile_encoding()
        for chunk in in_chunks(self._read(sources, SOURCES, 1), MAX_SOURCES):
            given = [history for history in chunk if history is not None]
            found = self._saved.contexts(self._saved.stacked(given)) if given else {}
            rows = iter(range(len(given)))
            for history in chunk:
                row = None if history is None else next(rows)
                states = {} if row is None else {name: state[row].copy() for name, state in found.items()}
                yield Encoding(states=states)

    def scores(self, pairs: Iterable[tuple[Source, Source]]) -> NoReturn:
        """Raise `InputError`: a forecast has no probability."""
        raise InputError("score: a model of numbers gives no probabilities; compare its forecast instead")

    def source_tokens(self, source: Source) -> NoReturn:
        """Raise `InputError`: numbers are not tokens."""
        raise InputError("source_tokens: a model of numbers reads no tokens")

    def _read(self, sources: Iterable[Source], name: str, first: int) -> Iterator[Values | None]:
        for number, source in enumerate(sources, first):
            if isinstance(source, str):
                yield from read_histories([source], self._saved.series, name, number)
            else:
                yield self._history(source, f"{name}:{number}")

    def _history(self, source: Source, place: str) -> Values | None:
        series = self._saved.series
        try:
            array = np.asarray(source, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{place}: expected numbers or a line of text ({error})") from error
        shape = (series.source_length, len(series.columns))
        if array.ndim != 1 and array.shape != shape:
            raise InputError(f"{place}: an array of shape {array.shape}, but this model reads {shape}")
        values = [float(value) for value in array.ravel()]
        for value in values:
            if not math.isfinite(value):
                raise InputError(f"{place}: {value!r} is not a number that the model can read")
            magnitude_checked(value, place)
        return checked_history(values, series, place) if values else None
