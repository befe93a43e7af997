"""Windows of a series of numbers -> what a model reads and predicts, and back to the data's own unit."""

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
"""A column of which half the range is at most this share of its magnitude does not vary: what is there is
rounding, some hundred units of float64's, which scaling would blow up to noise of the size of a signal."""

LARGEST = 1e16
"""Largest magnitude of a number that a model reads or predicts: sums of squares stay far within float32."""


LONGEST = 1_000_000
"""Most rows of a source or a target that are believed of a saved model."""


@dataclass(frozen=True)
class Series:
    """All that must be known of a series to use a model of it, besides the weights.

    Shapes: n windows, S rows of a source, T values of a target, F columns, the forecast one first.
    A number x of column i enters the model as (x - centers[i]) / scales[i]. In the forecast column x is the
    logarithm of what the data has where `logarithm` says so, and then the change from the row before where
    `differencing` says so; other columns enter as they are.

    Args:
        columns: their names.
        unit: what the forecast column is measured in; may be empty.
        source_length, target_length: S and T, in rows.
        logarithm: whether forecasts are made of logarithms.
        differencing: 0 or 1.
        centers, scales: one a column; the scales are above 0.
        decimals: how many digits after the point a forecast is written with.
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
        """Return what the encoder reads, (n, S - differencing, F) float32.

        Args:
            history: (n, S, F) float64, in the data's own unit.
        """
        return self.scaled(history).astype(np.float32)

    def scaled(self, history: Values) -> Values:
        """Return the same as `sources` in float64, (..., S - differencing, F) of (..., S, F)."""
        read = read_as(history, self.logarithm, self.differencing)
        scaled: Values = (read - np.array(self.centers)) / np.array(self.scales)
        return scaled

    def treatment(self, column: int) -> str:
        """Say in a few words what was done to a column's numbers before the model reads them."""
        steps = ["its logarithm"] if column == 0 and self.logarithm else []
        steps += ["its change from the row before"] if column == 0 and self.differencing else []
        center, scale = self.centers[column], self.scales[column]
        steps += [f"less {center:g}, divided by {scale:g}"] if (center, scale) != (0.0, 1.0) else []
        return ", ".join(steps) or "as it is"

    def targets(self, history: Values, future: Values) -> Floats:
        """Return what the decoder is to predict, (n, T, 1) float32.

        Args:
            history: (n, S, F) float64.
            future: (n, T) float64, the values that follow; NaN where there are none, which stays NaN.
        """
        last = history[:, -1, :1]
        if self.logarithm:
            last, future = np.log(last), np.log(future)
        wanted = np.diff(future, axis=1, prepend=last) if self.differencing else future
        scaled = (wanted - self.centers[0]) / self.scales[0]
        return scaled[:, :, None].astype(np.float32)

    def forecasts(self, history: Values, predicted: Floats) -> Values:
        """Return predictions in the data's own unit, (n, T) float64: `targets` undone.

        Args:
            history: (n, S, F) float64.
            predicted: (n, T) float32, what the model gave.
        """
        values = predicted.astype(np.float64) * self.scales[0] + self.centers[0]
        if self.differencing:
            last = history[:, -1, :1]
            values = (np.log(last) if self.logarithm else last) + np.cumsum(values, axis=1)
        return np.exp(values) if self.logarithm else values

    def write(self, values: Values) -> str:
        """Return values (k,) as text, in no more digits than mean something, joined by spaces."""
        return " ".join(repr(round(float(value), self.decimals)) for value in values)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values; reading them back gives the same bits."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Series:
        """Build what `to_json` described.

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
    """Return whether the values of a series that was read are of the types that it says."""
    whole = (series.source_length, series.target_length, series.differencing, series.decimals)
    return (
        all(type(number) is int and 0 <= number <= LONGEST for number in whole)
        and series.differencing <= 1
        and type(series.logarithm) is bool
        and all(isinstance(text, str) for text in (series.unit, *series.columns))
        and all(type(number) in (int, float) for number in (*series.centers, *series.scales))
    )


def read_as(history: Values, logarithm: bool, differencing: int) -> Values:
    """Return rows as a model reads them but for their scale, (..., S - differencing, F), see `Series`.

    Args:
        history: (..., S, F) float64; it is left as it is.
        logarithm: of the first column, whose numbers are above 0.
        differencing: 1 for the changes of the first column.
    """
    read = history.copy()
    if logarithm:
        read[..., 0] = np.log(read[..., 0])
    if differencing:
        changes = np.diff(read[..., 0], axis=-1)
        read = read[..., 1:, :]
        read[..., 0] = changes
    return read


def magnitudes(history: Values, logarithm: bool) -> Values:
    """Return the largest magnitude in each column of the numbers that scaled ones are made of, (F,).

    That is what rounding is relative to: a change of 0.1 between numbers near 1000 is off by the rounding of
    1000. A logarithm is off by the rounding of its number, which is relative to 1, and by its own.

    Args:
        history: (R, F) float64, in the data's own unit.
        logarithm: as of `read_as`.
    """
    largest: Values = np.abs(history).max(axis=0)
    if logarithm:
        largest[0] = max(1.0, np.abs(np.log(history[:, 0])).max())
    return largest


def fit_scaling(
    rows: Values, scaling: Scaling, rounded_from: Values
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return centers and scales, one a column; see `Series`.

    Args:
        rows: the training part alone, as `read_as` gives it: (R, F) float64.
        scaling: `none`; `standard`: mean and standard deviation (over R, not R - 1); `minmax`: -1..1.
            A column that varies by no more than rounding (see `CONSTANT`) is only centred.
        rounded_from: see `magnitudes`.
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
    """Return the standard deviation of each column, also where squares of its numbers would underflow."""
    _, exponents = np.frexp(np.abs(rows).max(axis=0))
    # multiplying by a power of two is exact, so nothing changes where nothing underflows
    scaled: Values = np.ldexp(np.ldexp(rows, -exponents).std(axis=0), exponents)
    return scaled
