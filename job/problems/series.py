"""Windows of a series of numbers -> what a model reads and predicts, and back to the data's own unit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Values = NDArray[np.float64]


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
        read = read_as(history, self.logarithm, self.differencing)
        scaled: Values = (read - np.array(self.centers)) / np.array(self.scales)
        return scaled.astype(np.float32)

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
            numbers = [*map(float, series.centers), *map(float, series.scales)]
            lengths = (series.source_length - series.differencing, series.target_length)
            whole = 0 < len(series.columns) == len(series.scales) == len(series.centers) and min(lengths) > 0
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not a series: {error}") from None
        if not whole or not all(map(math.isfinite, numbers)) or min(series.scales) <= 0:
            raise ValueError("not a series: columns, lengths, centers and scales do not fit together")
        return series


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


def fit_scaling(rows: Values, scaling: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return centers and scales, one a column; see `Series`.

    Args:
        rows: the training part alone, as `read_as` gives it: (R, F) float64.
        scaling: `none`; `standard`: mean and standard deviation (over R, not R - 1); `minmax`: -1..1.
            A column without variation is only centred.
    """
    centers, scales = np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    if scaling == "standard":
        centers, scales = rows.mean(axis=0), rows.std(axis=0)
    elif scaling == "minmax":
        low, high = rows.min(axis=0), rows.max(axis=0)
        centers, scales = low + (high - low) / 2, (high - low) / 2
    scales = np.where(scales > 0, scales, 1.0)
    return tuple(map(float, centers)), tuple(map(float, scales))
