"""Draw the context vectors of test sources on two axes as `contexts.svg`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from job.reports.chart import Chart, Series, charts_svg
from job.reports.formatting import percent, ranges, span

_COLOURS = ("#440154", "#472c7a", "#3c508b", "#2d708e", "#228d8d", "#24aa83", "#52c569", "#9bd93c")
"""The map viridis without the yellows at its end, which are too light: more colours cannot be told apart."""


def contexts_svg(contexts: Mapping[str, Any], *, title: str) -> str:
    """Draw a point per source, coloured by its label; the same contexts give the same bytes.

    Many labels are grouped into ranges. Each colour is a group whose id is `label-3` or `label-3-5`.

    Args:
        contexts: the content of `contexts.json`, see `job.evaluation.context_projection`.
        title: the drawing's title.
    """
    groups = ranges(contexts["labels"], len(_COLOURS))
    x_label, y_label = (f"{percent(share)} of the variance" for share in contexts["explained"])
    series = [_dots(contexts, group, number, len(groups)) for number, group in enumerate(groups)]
    description = (
        f"Context vectors of {len(contexts['ids']):,} test sources on their first two principal components, "
        f"coloured by {contexts['label']}, {span(groups[0][0], groups[-1][1])}."
    )
    chart = Chart(series=series, x_label=x_label, y_label=y_label, legend=contexts["label"])
    return charts_svg([chart], width=680, height=450, title=title, description=description)


def _dots(contexts: Mapping[str, Any], group: tuple[int, int], number: int, groups: int) -> Series:
    """Return the sources whose label is in a range, the one with this number."""
    first, last = group
    points = [
        (x, y)
        for (x, y), label in zip(contexts["coordinates"], contexts["labels"], strict=True)
        if first <= label <= last
    ]
    return Series(
        id=f"label-{span(first, last)}",
        label=f"{span(first, last)} ({len(points):,})",
        points=points,
        colour=_COLOURS[round((len(_COLOURS) - 1) * number / max(1, groups - 1))],
        line="none",
        radius=2.5,
    )
