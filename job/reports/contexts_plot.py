"""Draw the context vectors of test sources on two axes as `contexts.svg`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from job.reports.formatting import percent, ranges, span
from job.reports.svg import svg

_MAX_LABEL_GROUPS = 8
"""Number of colours that can be told apart."""


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
    return svg(paint, width=7, height=4.5, title=title, description=description, layout="constrained")
