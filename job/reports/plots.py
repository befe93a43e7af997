"""Draw a job's curves, accuracy and contexts. No report imports this module, so none needs matplotlib."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from job.reports.attention_plot import attention_svg
from job.reports.formatting import percent, plain, ranges, span
from job.reports.svg import svg
from job.results.job_result import JobResult
from job.storage.artifacts import JobPaths, write_text
from job.storage.documents import read_json, read_regular

_LOSS = ("loss", "val_loss")
_ACCURACY = ("token_accuracy", "val_token_accuracy", "sequence_accuracy", "val_sequence_accuracy")
_COLOURS = {"loss": "C0", "token_accuracy": "C1", "sequence_accuracy": "C2"}
_MAX_MARKED_POINTS = 40
"""Up to this number, points are also drawn as dots: a single one would not show as a line."""

_MAX_LABEL_GROUPS = 8
"""Number of colours that can be told apart."""

Points = tuple[list[float], list[float]]


def write_plots(paths: JobPaths, result: JobResult) -> None:
    """Draw a job's curves and, if its result has them, accuracy, attention and contexts.

    Args:
        paths: the job directory, with `history.csv` and perhaps `contexts.json`.
        result: of the job.

    Raises:
        OSError: a file cannot be read or written.
    """
    for path, draw in drawings(paths, result).items():
        write_text(path, draw())


def drawings(paths: JobPaths, result: JobResult) -> dict[Path, Callable[[], str]]:
    """Return the drawings that a job can have: their paths, and functions that return their content.

    Args:
        paths, result: see `write_plots`.
    """
    name, analysis = result.name, result.analysis
    found: dict[Path, Callable[[], str]] = {
        paths.curves: lambda: curves_svg(read_regular(paths.history).decode("utf-8"), title=name)
    }
    if has_profile(analysis):
        found[paths.accuracy] = lambda: accuracy_svg(analysis, title=f"{name}: accuracy")
    if result.attention:
        correct = [sample.correct for sample in result.samples[: len(result.attention)]]
        found[paths.attention] = lambda: attention_svg(result.attention, correct, title=f"{name}: attention")
    # without an analysis, the file was left by another model that had this name
    if analysis and paths.contexts.exists():
        found[paths.contexts_plot] = lambda: contexts_svg(
            read_json(paths.contexts), title=f"{name}: contexts"
        )
    return found


# --- curves -------------------------------------------------------------------------------------------------


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
        left, *right = figure.subplots(1, 2 if accuracies else 1, squeeze=False)[0]
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
            marker="o" if len(steps) <= _MAX_MARKED_POINTS else "",
            markersize=3,
        )
    if series:
        axes.legend(fontsize="small")


# --- accuracy -----------------------------------------------------------------------------------------------


def accuracy_svg(analysis: Mapping[str, Any], *, title: str) -> str:
    """Draw accuracy by target position and by source length; the same analysis gives the same bytes.

    A table of one row has no panel: the job's metrics show the same. The groups are `by_position` and
    `by_source_length`; bars behind them show the share of the test examples.

    Args:
        analysis: see `job.evaluation.error_analysis`; with at least one panel, see `has_profile`.
        title: the drawing's title.
    """
    positions = [{**row, "place": row["position"] + 1} for row in analysis["by_position"]]
    lengths = [{**row, "place": row["length"]} for row in analysis["by_source_length"]]
    panels = [
        (key, rows, name, total)
        for key, rows, name, total in (
            ("by_position", positions, "position in the target", positions[0]["count"] if positions else 0),
            ("by_source_length", lengths, "tokens of the source", sum(row["count"] for row in lengths)),
        )
        if len(rows) > 1
    ]

    def paint(figure: Figure) -> None:
        for axes, (key, rows, name, total) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
        ):
            _profile(axes, rows, total, key, name)

    text = " ".join(_description(rows, name) for _, rows, name, _ in panels)
    return svg(paint, width=1 + 4 * len(panels), height=3.5, title=title, description=text)


def has_profile(analysis: Mapping[str, Any]) -> bool:
    """Return whether `accuracy_svg` would draw anything."""
    return any(len(analysis.get(key, ())) > 1 for key in ("by_position", "by_source_length"))


def _profile(axes: Axes, rows: Sequence[Mapping[str, Any]], total: int, key: str, name: str) -> None:
    places = [row["place"] for row in rows]
    shares = [row["count"] / total for row in rows]
    axes.bar(places, shares, width=0.9, color="0.85", label="share of the test")
    axes.plot(
        places,
        [row["accuracy"] for row in rows],
        gid=key,
        color="C2",
        marker="o" if len(rows) <= _MAX_MARKED_POINTS else "",
        markersize=4,
        label="tokens right" if key == "by_position" else "sequences right",
    )
    axes.set_xlabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(-0.02, 1.02)
    axes.legend(fontsize="small", loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)


def _description(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    worst = min(rows, key=lambda row: row["accuracy"])
    best = max(rows, key=lambda row: row["accuracy"])
    return (
        f"Accuracy by {name}, {rows[0]['place']} to {rows[-1]['place']}: "
        f"best {percent(best['accuracy'])} at {best['place']}, "
        f"worst {percent(worst['accuracy'])} at {worst['place']}."
    )


# --- contexts -----------------------------------------------------------------------------------------------


def contexts_svg(contexts: Mapping[str, Any], *, title: str) -> str:
    """Draw a point per source, coloured by its label; the same contexts give the same bytes.

    Many labels are grouped into ranges. Each colour is a group whose id is `label-3` or `label-3-5`.

    Args:
        contexts: the content of `contexts.json`, see `job.evaluation.context_projection`.
        title: the drawing's title.
    """
    groups = ranges(contexts["labels"], _MAX_LABEL_GROUPS)

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        colours = matplotlib.colormaps["viridis"].resampled(100)
        for number, (first, last) in enumerate(groups):
            points = [
                point
                for point, label in zip(contexts["coordinates"], contexts["labels"], strict=True)
                if first <= label <= last
            ]
            axes.plot(
                *zip(*points, strict=True),
                gid=f"label-{span(first, last)}",
                label=f"{span(first, last)} ({len(points):,})",
                color=colours(
                    0.85 * number / max(1, len(groups) - 1)
                ),  # the yellows at the end are too light
                linestyle="",
                marker="o",
                markersize=3.5,
                markeredgewidth=0,
                alpha=0.8,
            )
        for name, share in zip(("x", "y"), contexts["explained"], strict=True):
            axes.set(**{f"{name}label": f"{percent(share)} of the variance"})
        figure.legend(title=contexts["label"], loc="outside right upper", fontsize="small")

    description = (
        f"Context vectors of {len(contexts['ids']):,} test sources on their first two principal components, "
        f"coloured by {contexts['label']}, {span(groups[0][0], groups[-1][1])}."
    )
    return svg(paint, width=7, height=4.5, title=title, description=description)
