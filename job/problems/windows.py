"""Scaling of time series: from windows in the unit of the data to model inputs and targets, and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.errors import no_implementation
from job.spec.time_series_section import Scaling

Floats = NDArray[np.float32]
Values = NDArray[np.float64]

CONSTANT = 1e-13
"""A column is constant if half its range is at most this fraction of its magnitude. Its remaining variation
is rounding error of float64, which scaling would enlarge to noise of the size of a signal."""

MAX_MODEL_VALUE = 1e16
"""Largest magnitude of a model input or target: sums of squares stay well within the range of float32."""


MAX_WINDOW_LENGTH = 1_000_000
"""Largest number of rows of a source or target that is accepted when a saved model is loaded."""


@dataclass(frozen=True)
class Series:
    """The columns, window lengths and scaling of a time series; a saved model needs these besides its
    weights.

    Shapes: n windows, S rows of a source, T values of a target, F columns. The forecast column is the first.
    A value x of column i enters the model as (x - centers[i]) / scales[i]. In the forecast column the
    logarithm (if `logarithm`) and then the change from the previous row (if `differencing`) are taken before
    scaling.

    Args:
        columns: the names of the columns, shape (F,).
        unit: the unit of the forecast column; may be empty.
        source_length, target_length: S and T, in rows.
        logarithm: whether the model reads and predicts logarithms of the forecast column.
        differencing: 1 if the model reads and predicts changes of the forecast column, else 0.
        centers, scales: one value per column, shape (F,); scales are above 0.
        decimals: number of digits after the decimal point of a written forecast.
    """

    columns: tuple[str, ...]
    unit: str
    source_length: int
    target_length: int
    logarithm: bool
    differencing: int
    centers: tuple[float, ...]
    scales: tuple[float, ...]
    decimals: int

    def sources(self, history: Values) -> Floats:
        """Return the inputs of the encoder, shape (n, S - differencing, F), float32.

        Args:
            history: shape (n, S, F), float64, in the unit of the data.
        """
        return self.scaled(history).astype(np.float32)

    def scaled(self, history: Values) -> Values:
        """Return the values of `sources` in float64: shape (..., S, F) to (..., S - differencing, F)."""
        read = transform(history, self.logarithm, self.differencing)
        scaled: Values = (read - np.array(self.centers)) / np.array(self.scales)
        return scaled

    def treatment(self, column: int) -> str:
        """Describe in a few words how a column is transformed before the model reads it."""
        steps = ["its logarithm"] if column == 0 and self.logarithm else []
        steps += ["its change from the row before"] if column == 0 and self.differencing else []
        center, scale = self.centers[column], self.scales[column]
        steps += [f"less {center:g}, divided by {scale:g}"] if (center, scale) != (0.0, 1.0) else []
        return ", ".join(steps) or "unchanged"

    def targets(self, history: Values, future: Values) -> Floats:
        """Return the targets of the decoder, shape (n, T, 1), float32.

        Args:
            history: shape (n, S, F), float64, in the unit of the data.
            future: shape (n, T), float64, the values that follow; NaN after the end of the series stays NaN.
        """
        last = history[:, -1, :1]
        if self.logarithm:
            last, future = np.log(last), np.log(future)
        wanted = np.diff(future, axis=1, prepend=last) if self.differencing else future
        scaled = (wanted - self.centers[0]) / self.scales[0]
        return scaled[:, :, None].astype(np.float32)

    def forecasts(self, history: Values, predicted: Floats) -> Values:
        """Invert `targets`: return predictions in the unit of the data, shape (n, T), float64.

        Args:
            history: shape (n, S, F), float64, in the unit of the data.
            predicted: shape (n, T), float32, outputs of the model.
        """
        values = predicted.astype(np.float64) * self.scales[0] + self.centers[0]
        if self.differencing:
            last = history[:, -1, :1]
            values = (np.log(last) if self.logarithm else last) + np.cumsum(values, axis=1)
        return np.exp(values) if self.logarithm else values

    def write(self, values: Values) -> str:
        """Return values of shape (k,) as text, rounded to `decimals` and joined by spaces."""
        return " ".join(repr(round(float(value), self.decimals)) for value in values)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values; `from_json` restores the exact floats."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Series:
        """Build a series from the result of `to_json`.

        Raises:
            ValueError: `record` does not describe a series.
        """
        try:
            lists = {key: tuple(record[key]) for key in ("columns", "centers", "scales")}
            series = cls(**{**record, **lists})
            if not _has_types(series):
                raise ValueError("a value is of another type")
            numbers = [*map(float, series.centers), *map(float, series.scales)]
            lengths = (series.source_length - series.differencing, series.target_length)
            whole = 0 < len(series.columns) == len(series.scales) == len(series.centers) and min(lengths) > 0
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not a series: {error}") from None
        if not whole or not all(map(math.isfinite, numbers)) or min(series.scales) <= 0:
            raise ValueError("not a series: columns, lengths, centers and scales do not fit together")
        return series


def _has_types(series: Series) -> bool:
    """Return whether the fields of a series built from JSON have the declared types and ranges."""
    whole = (series.source_length, series.target_length, series.differencing, series.decimals)
    return (
        all(type(number) is int and 0 <= number <= MAX_WINDOW_LENGTH for number in whole)
        and series.differencing <= 1
        and type(series.logarithm) is bool
        and all(isinstance(text, str) for text in (series.unit, *series.columns))
        and all(type(number) in (int, float) for number in (*series.centers, *series.scales))
    )


def transform(history: Values, logarithm: bool, differencing: int) -> Values:
    """Return rows with logarithm and differencing applied but unscaled, shape (..., S - differencing, F).

    Args:
        history: shape (..., S, F), float64; not modified.
        logarithm: whether to take the logarithm of the first column; its values must be above 0.
        differencing: 1 to replace the first column by its changes from row to row, else 0.
    """
    read = history.copy()
    if logarithm:
        read[..., 0] = np.log(read[..., 0])
    if differencing:
        changes = np.diff(read[..., 0], axis=-1)
        read = read[..., 1:, :]
        read[..., 0] = changes
    return read


def rounding_magnitudes(history: Values, logarithm: bool) -> Values:
    """Return the magnitude that rounding errors of each transformed column are relative to, shape (F,).

    A change of 0.1 between numbers near 1000 has the rounding error of 1000. A logarithm has its own rounding
    error and that of its argument, which is relative to 1.

    Args:
        history: shape (R, F), float64, in the unit of the data.
        logarithm: see `transform`.
    """
    largest: Values = np.abs(history).max(axis=0)
    if logarithm:
        largest[0] = max(1.0, np.abs(np.log(history[:, 0])).max())
    return largest


def fit_scaling(
    rows: Values, scaling: Scaling, rounded_from: Values
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Compute the centers and scales of `Series`, one of each per column.

    Args:
        rows: the result of `transform` for the training rows, shape (R, F), float64.
        scaling: `none`; `standard`: mean and standard deviation (divided by R, not R - 1); `minmax`: to
            -1..1. A constant column (see `CONSTANT`) is centered and not scaled.
        rounded_from: the result of `rounding_magnitudes` for the training rows, shape (F,).
    """
    low, high = rows.min(axis=0), rows.max(axis=0)
    middle, half = low + (high - low) / 2, (high - low) / 2
    match scaling:
        case "none":
            return (0.0,) * rows.shape[1], (1.0,) * rows.shape[1]
        case "standard":
            centers, scales = rows.mean(axis=0), _deviations(rows)
        case "minmax":
            centers, scales = middle, half
        case unknown:
            no_implementation("problem.scaling", unknown)
    constant = half <= CONSTANT * rounded_from
    centers, scales = np.where(constant, middle, centers), np.where(constant, 1.0, scales)
    return tuple(map(float, centers)), tuple(map(float, scales))


def _deviations(rows: Values) -> Values:
    """Return the standard deviation of each column without underflow of squares, shape (F,)."""
    _, exponents = np.frexp(np.abs(rows).max(axis=0))
    # multiplication by a power of two is exact, so results change only where squares would underflow
    scaled: Values = np.ldexp(np.ldexp(rows, -exponents).std(axis=0), exponents)
    return scaled
