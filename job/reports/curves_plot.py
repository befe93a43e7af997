"""Draw loss and accuracy over training steps as `curves.svg`."""

from __future__ import annotations

import csv
import io
import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from job.reports.formatting import plain
from job.reports.svg import MAX_MARKED_POINTS, panels, svg

_LOSS = ("loss", "val_loss")
_ACCURACY = ("token_accuracy", "val_token_accuracy", "sequence_accuracy", "val_sequence_accuracy")
_COLOURS = {"loss": "C0", "token_accuracy": "C1", "sequence_accuracy": "C2"}

Points = tuple[list[float], list[float]]
"""Steps and values, of the same length."""


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

    def paint(figure: Figure) -> None:
        left, *right = panels(figure, 2 if accuracies else 1)
        _panel(left, losses, "loss")
        for axes in right:
            _panel(axes, accuracies, "accuracy")
            axes.set_ylim(-0.02, 1.02)

    ends = [
        f"{plain(name)} ends at {values[-1]:.4g}" for name, (_, values) in {**losses, **accuracies}.items()
    ]
    text = f"Curves over training steps: {', '.join(ends) or 'no values'}."
    return svg(paint, width=9 if accuracies else 5, height=3.5, title=title, description=text)


def _present(rows: list[dict[str, str]], columns: tuple[str, ...]) -> dict[str, Points]:
    """Return the columns that have a finite value."""
    series = {column: _series(rows, column) for column in columns}
    return {column: points for column, points in series.items() if points[0]}


def _series(rows: list[dict[str, str]], column: str) -> Points:
    """Return the steps and values of a column's finite entries."""
    points = [(float(row["step"]), float(row.get(column) or "nan")) for row in rows]
    finite = [(step, value) for step, value in points if math.isfinite(value)]
    return [step for step, _ in finite], [value for _, value in finite]


def _panel(axes: Axes, series: dict[str, Points], quantity: str) -> None:
    axes.set_xlabel("training step")
    axes.set_ylabel(quantity)
    for column, (steps, values) in series.items():
        validation = column.startswith("val_")
        name = column.removeprefix("val_")
        axes.plot(
            steps,
            values,
            gid=column,
            label=f"{plain(name)}, {'validation' if validation else 'training'}",
            color=_COLOURS[name],
            linestyle="--" if validation else "-",
            marker="o" if len(steps) <= MAX_MARKED_POINTS else "",
            markersize=3,
        )
    if series:
        axes.legend(fontsize="small")
