"""Draw loss and accuracy over training steps as `curves.svg`."""

from __future__ import annotations

import csv
import io
import math

from job.reports.chart import BLUE, GREEN, ORANGE, Chart, Points, Series, charts_svg
from job.reports.formatting import plain
from job.reports.svg import MAX_MARKED_POINTS

_LOSS = ("loss", "val_loss")
_ACCURACY = ("token_accuracy", "val_token_accuracy", "sequence_accuracy", "val_sequence_accuracy")
_COLOURS = {"loss": BLUE, "token_accuracy": ORANGE, "sequence_accuracy": GREEN}


def curves_svg(history: str, *, title: str) -> str:
    """Draw loss and accuracy over training steps; the same history gives the same bytes.

    Each series is a group whose id is its column's name. Series without a finite value are left out, and so
    is the panel of accuracies if it would be empty.

    Args:
        history: content of `history.csv`; only the column `step` is required. Empty and non-finite values are
            skipped.
        title: the drawing's title, for instance the job's name.

    Returns:
        the SVG file's content, with a title and a description for screen readers.
    """
    rows = list(csv.DictReader(io.StringIO(history)))
    losses = _present(rows, _LOSS)
    accuracies = _present(rows, _ACCURACY)
    charts = [Chart(series=_lines(losses), x_label="training step", y_label="loss")]
    if accuracies:
        lines = _lines(accuracies)
        charts.append(
            Chart(series=lines, x_label="training step", y_label="accuracy", y_limits=(-0.02, 1.02))
        )
    ends = [f"{plain(name)} ends at {points[-1][1]:.4g}" for name, points in {**losses, **accuracies}.items()]
    text = f"Curves over training steps: {', '.join(ends) or 'no values'}."
    return charts_svg(charts, width=450, height=350, title=title, description=text)


def _present(rows: list[dict[str, str]], columns: tuple[str, ...]) -> dict[str, Points]:
    """Return the columns that have a finite value."""
    series = {column: _finite(rows, column) for column in columns}
    return {column: points for column, points in series.items() if points}


def _finite(rows: list[dict[str, str]], column: str) -> Points:
    """Return the steps and values of a column's finite entries."""
    points = [(float(row["step"]), float(row.get(column) or "nan")) for row in rows]
    return [(step, value) for step, value in points if math.isfinite(value)]


def _lines(series: dict[str, Points]) -> list[Series]:
    return [_drawn(column, points) for column, points in series.items()]


def _drawn(column: str, points: Points) -> Series:
    validation = column.startswith("val_")
    name = column.removeprefix("val_")
    return Series(
        id=column,
        label=f"{plain(name)}, {'validation' if validation else 'training'}",
        points=points,
        colour=_COLOURS[name],
        line="dashed" if validation else "solid",
        radius=2.5 if len(points) <= MAX_MARKED_POINTS else 0,
    )
