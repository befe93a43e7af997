"""The problem `time_series`: windows of numbers from columns of a CSV file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from job.errors import DataError, DataErrors
from job.problems.base import Split, Windows, batch_rows
from job.problems.csv_columns import Columns, read_columns
from job.problems.data_files import MAX_LISTED_ERRORS
from job.problems.generated import Stream, generator
from job.problems.windows import (
    MAX_MODEL_VALUE,
    Floats,
    Series,
    Values,
    fit_scaling,
    rounding_magnitudes,
    transform,
)
from job.spec.file_locations import PlannedData, locate
from job.spec.time_series_section import TimeSeriesSpec

EXTRA_DECIMALS = 3
"""Number of decimal digits of a written forecast in addition to those of the data."""


class TimeSeries:
    """A time series split by time into training, validation and test rows; implements `NumberProblem`.

    Training windows and scales use training rows only. Evaluation is walk-forward: for each held-out row
    there is a window whose target begins at that row and whose source is the true values before it, held-out
    rows included. Targets are cut at the end of their split.

    Args:
        spec: the problem's section: file, columns, lengths and split.
        seed: determines the order of training windows, and the subset if not all windows are used.
        directory: the spec directory; relative file names start there.
        planned: checksums that the file must have, None to accept any content.

    Raises:
        ChangedDataError: the file differs from `planned`.
        DataErrors: all errors in the file, or too few rows to train on.
    """

    target_kind: Literal["numbers"] = "numbers"
    fixed_length: bool = True
    fresh_each_epoch: bool = False

    def __init__(
        self, spec: TimeSeriesSpec, seed: int, directory: Path, planned: PlannedData | None = None
    ) -> None:
        self._spec, self._seed = spec, seed
        path = _locate(spec, directory)
        names = {spec.column: "column", **dict.fromkeys(spec.covariates, "covariates")}
        files = planned.files if planned else {}
        positive = spec.column if spec.logarithm else None
        columns = read_columns(path, names, "file", positive, files.get(spec.file))
        self._rows = columns.values
        self._train_rows = _count_training_rows(spec, path, len(self._rows))
        train = self._rows[: self._train_rows]
        centers, scales = fit_scaling(
            transform(train, spec.logarithm, spec.differencing),
            spec.scaling,
            rounding_magnitudes(train, spec.logarithm),
        )
        self.series = Series(
            columns=tuple(names),
            unit=spec.unit,
            source_length=spec.source_length,
            target_length=spec.target_length,
            logarithm=spec.logarithm,
            differencing=spec.differencing,
            centers=centers,
            scales=scales,
            decimals=columns.decimals + EXTRA_DECIMALS,
        )
        _check_sizes(self.series, columns, path)
        self.max_target_length = spec.target_length
        self._files = {spec.file: columns.sha256}
        self._train_windows = self._train_rows - spec.source_length - spec.target_length + 1
        self._order_of: tuple[int, int] | None = None
        self._order = np.empty(0, np.intp)

    def examples_per_epoch(self, asked: int | Literal["all"]) -> int:
        """Return `asked`, but at most the number of training windows."""
        held = self._train_windows
        return held if asked == "all" else min(asked, held)

    def batch(self, epoch: int, index: int, batch_size: int, examples: int) -> tuple[Floats, Floats]:
        """Return batch `index` of `epoch`: sources (B, S - differencing, F) and targets (B, T, 1), float32.

        Each window occurs once per epoch. If `examples` is less than the number of windows, every epoch uses
        the same subset. The order of the most recent epoch is cached.
        """
        start, stop = batch_rows(index, batch_size, examples)
        if self._order_of != (epoch, examples):
            self._order, self._order_of = self._order_epoch(epoch, examples), (epoch, examples)
        begins = self._spec.source_length + self._order[start:stop]
        windows = self._windows(begins, self._train_rows)
        return windows.source, windows.target

    def examples(self, split: Split, count: int) -> Windows:
        """Return the first `count` windows of a split in the order of time, one for each held-out row."""
        test = len(self._rows) - self._spec.test
        first, stop = (self._train_rows, test) if split == "validation" else (test, len(self._rows))
        return self._windows(np.arange(first, min(stop, first + count)), stop)

    def describe(self) -> dict[str, Any]:
        """Return the number of rows and windows, the scaling of each column, and checksums."""
        spec, series = self._spec, self.series
        return {
            "rows": {"train": self._train_rows, "validation": spec.validation, "test": spec.test},
            "train_windows": self._train_windows,
            "center": dict(zip(series.columns, series.centers, strict=True)),
            "scale": dict(zip(series.columns, series.scales, strict=True)),
            "files": self._files,
        }

    def _order_epoch(self, epoch: int, examples: int) -> NDArray[np.intp]:
        """Return the indices of an epoch's training windows in batch order, shape (examples,)."""
        held = self._train_windows
        if examples > held:
            raise IndexError(f"{examples} examples were asked for, but there are {held} training windows")
        taken = generator(self._seed, Stream.SUBSET).permutation(held)[:examples]
        return generator(self._seed, Stream.EPOCH_ORDER, epoch).permutation(taken)

    def _windows(self, begins: NDArray[np.intp], stop: int) -> Windows:
        """Return the windows whose targets begin at rows `begins`, with targets cut at row `stop`."""
        history: Values = self._rows[begins[:, None] + np.arange(-self._spec.source_length, 0)]
        rows = begins[:, None] + np.arange(self._spec.target_length)
        known = np.minimum(rows, len(self._rows) - 1)
        future: Values = np.where(rows < stop, self._rows[known, 0], np.nan)
        return Windows(
            source=self.series.sources(history),
            target=self.series.targets(history, future),
            history=history,
            future=future,
        )


def _locate(spec: TimeSeriesSpec, directory: Path) -> Path:
    try:
        return locate(spec.file, directory)
    except DataError as error:
        raise DataErrors([DataError(error.message, key="file")]) from None


def _check_sizes(series: Series, columns: Columns, path: Path) -> None:
    """Check that scaled values are small enough for float32.

    Raises:
        DataErrors: values are too large; lists the first rows.
    """
    scaled = series.scaled(columns.values)
    bad = np.argwhere(~(np.abs(scaled) <= MAX_MODEL_VALUE))
    errors = []
    for row, column in bad[:MAX_LISTED_ERRORS]:
        row_index = row + series.differencing  # differencing drops the first row
        name = series.columns[column]
        message = (
            f"{name} is {columns.values[row_index, column]:g}, which enters the model as "
            f"{scaled[row, column]:g} ({series.treatment(column)}); "
            f"expected a magnitude of at most {MAX_MODEL_VALUE:g}: scale the columns "
            "(problem.scaling) or correct the number"
        )
        errors.append(DataError(message, file=path, line=columns.lines[row_index]))
    if len(bad) > MAX_LISTED_ERRORS:
        rest = f"{len(bad) - MAX_LISTED_ERRORS:,} more numbers of this file are too large"
        errors.append(DataError(rest, file=path, key="file"))
    if errors:
        raise DataErrors(errors)


def _count_training_rows(spec: TimeSeriesSpec, path: Path, rows: int) -> int:
    """Return the number of training rows.

    Raises:
        DataErrors: there are too few for one window.
    """
    left, needed = rows - spec.test - spec.validation, spec.source_length + spec.target_length
    if left >= needed:
        return left
    sides = f"test {spec.test}" + (f" and validation {spec.validation}" if spec.validation else "")
    message = (
        f"{path.name} has {rows} rows; {sides} leave{'' if spec.validation else 's'} {max(left, 0)} to train "
        f"on, but a window of source_length {spec.source_length} and target_length {spec.target_length} "
        f"takes {needed}; lower one of them"
    )
    raise DataErrors([DataError(message, key="test" if left <= 0 else "source_length")])
