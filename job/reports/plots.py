"""`history.csv` -> `curves.svg`. The only file that imports matplotlib, and no report imports it."""

from __future__ import annotations

import csv
import io
import math

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from job.reports.wording import plain

_LOSS = ("loss", "val_loss")
_ACCURACY = ("token_accuracy", "val_token_accuracy", "sequence_accuracy", "val_sequence_accuracy")
_COLOURS = {"loss": "C0", "token_accuracy": "C1", "sequence_accuracy": "C2"}
_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud and searched
    "svg.hashsalt": "seq2seq-job",  # else the ids inside the file are random
    "axes.grid": True,
    "grid.alpha": 0.3,
}
_FEW = 40
"""Up to so many points are also drawn as dots: a single one would not show as a line."""

Series = tuple[list[float], list[float]]


def curves_svg(history: str, *, title: str) -> str:
    """Draw loss and accuracy over training steps; the same history gives the same bytes.

    Each series is a group whose id is its column's name. Series without a finite value are left out; so is
    the panel of accuracies when there are none.

    Args:
        history: content of `history.csv`; only `step` is required of its columns. Values that are empty or
            not finite are passed over.
        title: the drawing's title, for instance the job's name.

    Returns:
        the SVG file's content, with a title and a description for screen readers.
    """
    rows = list(csv.DictReader(io.StringIO(history)))
    losses = _present(rows, _LOSS)
    accuracies = _present(rows, _ACCURACY)
    with matplotlib.style.context(["default", _STYLE]):  # the user's own settings must not change the file
        figure = Figure(figsize=(9 if accuracies else 5, 3.5), layout="constrained")
        figure.suptitle(title, parse_math=False)
        left, *right = figure.subplots(1, 2 if accuracies else 1, squeeze=False)[0]
        _panel(left, losses, "loss")
        for axes in right:
            _panel(axes, accuracies, "accuracy")
            axes.set_ylim(-0.02, 1.02)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    return _described(file.getvalue(), {**losses, **accuracies})


def _present(rows: list[dict[str, str]], columns: tuple[str, ...]) -> dict[str, Series]:
    series = {column: _series(rows, column) for column in columns}
    return {column: points for column, points in series.items() if points[0]}


def _series(rows: list[dict[str, str]], column: str) -> Series:
    """Return the steps and values of a column's finite entries."""
    points = [(float(row["step"]), float(row.get(column) or "nan")) for row in rows]
    finite = [(step, value) for step, value in points if math.isfinite(value)]
    return [step for step, _ in finite], [value for _, value in finite]


def _panel(axes: Axes, series: dict[str, Series], quantity: str) -> None:
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
            marker="o" if len(steps) <= _FEW else "",
            markersize=3,
        )
    if series:
        axes.legend(fontsize="small")


def _described(svg: str, series: dict[str, Series]) -> str:
    """Add the role and the description that matplotlib does not write."""
    ends = [f"{plain(name)} ends at {values[-1]:.4g}" for name, (_, values) in series.items()]
    text = f"Curves over training steps: {', '.join(ends) or 'no values'}."
    return svg.replace("<svg ", '<svg role="img" ', 1).replace(
        "</title>", f"</title>\n <desc>{text}</desc>", 1
    )
