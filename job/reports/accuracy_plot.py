"""Draw accuracy by target position and by source length as `accuracy.svg`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from job.reports.formatting import percent
from job.reports.svg import MAX_MARKED_POINTS, panels, svg

_LEGEND = 0.35
"""Height of the legend above a panel, in inches."""


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
    profiles = [
        (key, rows, name, total)
        for key, rows, name, total in (
            ("by_position", positions, "position in the target", positions[0]["count"] if positions else 0),
            ("by_source_length", lengths, "tokens of the source", sum(row["count"] for row in lengths)),
        )
        if len(rows) > 1
    ]

    def paint(figure: Figure) -> None:
        drawn = panels(figure, len(profiles), above=_LEGEND)
        for axes, (key, rows, name, total) in zip(drawn, profiles, strict=True):
            _profile(axes, rows, total, key, name)

    text = " ".join(_description(rows, name) for _, rows, name, _ in profiles)
    return svg(paint, width=1 + 4 * len(profiles), height=3.5, title=title, description=text)


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
        marker="o" if len(rows) <= MAX_MARKED_POINTS else "",
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
