"""Draw accuracy by target position and by source length as `accuracy.svg`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from job.reports.chart import GREEN, Chart, Series, charts_svg
from job.reports.formatting import percent
from job.reports.svg import MAX_MARKED_POINTS


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

    charts = [_profile(rows, total, key, name) for key, rows, name, total in panels]
    text = " ".join(_description(rows, name) for _, rows, name, _ in panels)
    return charts_svg(charts, width=450, height=350, title=title, description=text)


def has_profile(analysis: Mapping[str, Any]) -> bool:
    """Return whether `accuracy_svg` would draw anything."""
    return any(len(analysis.get(key, ())) > 1 for key in ("by_position", "by_source_length"))


def _profile(rows: Sequence[Mapping[str, Any]], total: int, key: str, name: str) -> Chart:
    accuracies = Series(
        id=key,
        label="tokens right" if key == "by_position" else "sequences right",
        points=[(row["place"], row["accuracy"]) for row in rows],
        colour=GREEN,
        radius=3 if len(rows) <= MAX_MARKED_POINTS else 0,
    )
    return Chart(
        series=[accuracies],
        x_label=name,
        bars=[(row["place"], row["count"] / total) for row in rows],
        bars_label="share of the test",
        y_limits=(-0.02, 1.02),
        whole_x=True,
    )


def _description(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    worst = min(rows, key=lambda row: row["accuracy"])
    best = max(rows, key=lambda row: row["accuracy"])
    return (
        f"Accuracy by {name}, {rows[0]['place']} to {rows[-1]['place']}: "
        f"best {percent(best['accuracy'])} at {best['place']}, "
        f"worst {percent(worst['accuracy'])} at {worst['place']}."
    )
