"""Charts of lines, dots and bars, side by side in one SVG drawing.

They are written directly, as the attention is (`attention_plot.py`): with matplotlib, the drawings of a small
job took a third of the time of its training, and the process that made them 50 MB more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from xml.etree.ElementTree import Element, SubElement

from job.reports.axis import Axis, axis_for
from job.reports.svg import content, number, page, text

Points = Sequence[tuple[float, float]]
"""Pairs of x and y."""

BLUE, ORANGE, GREEN = "#1f77b4", "#ff7f0e", "#2ca02c"
_GREY = "#d9d9d9"

_BAR = 0.9
"""Width of a bar, where the next one is at a distance of 1."""

# pixels
_TITLE, _LABELS, _GAP, _TICK = 30, 42, 14, 5
_LETTER, _SMALL, _LINE = 12, 11, 17
_CHARACTER = 0.6
"""Width of a character as a share of the size of its letters, approximately."""
_SAMPLE = 28
"""Width of the sample of a series in the legend."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """Points of a chart that belong together.

    Args:
        id: of the group that has them in the SVG.
        label: their name in the legend.
        points: in the order in which a line connects them.
        colour: of the line and the dots.
        line: how they are connected.
        radius: of their dots in pixels; 0 for none.
    """

    id: str
    label: str
    points: Points
    colour: str
    line: Literal["solid", "dashed", "none"] = "solid"
    radius: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One chart.

    Args:
        series: of the points.
        x_label, y_label: what the axes show.
        bars: bars behind the series, from 0 to y.
        bars_label: their name in the legend.
        y_limits: the values at the ends of the y axis; None for those of the points with a margin.
        whole_x: whether ticks of the x axis are at whole numbers only.
        legend: a title of the legend, which is then on the right; empty for a legend above the chart.
    """

    series: Sequence[Series]
    x_label: str
    y_label: str = ""
    bars: Points = ()
    bars_label: str = ""
    y_limits: tuple[float, float] | None = None
    whole_x: bool = False
    legend: str = ""


def charts_svg(charts: Sequence[Chart], *, width: float, height: float, title: str, description: str) -> str:
    """Draw charts side by side; the same charts give the same bytes.

    Args:
        charts: from the left to the right.
        width, height: of one chart with its legend, in pixels.
        title: written above the charts.
        description: of what they show, for screen readers.

    Returns:
        the SVG file's content.
    """
    root = page(title, description)
    text(root, title, width * len(charts) / 2, _TITLE - 10, size=15, anchor="middle")
    above = max(_rows_above(chart) for chart in charts) * _LINE
    for place, chart in enumerate(charts):
        group = SubElement(root, "g", transform=f"translate({number(place * width)} {_TITLE})")
        _Painter(chart, group, above, width, height - _TITLE).paint()
    return content(root, width=width * len(charts), height=height)


def _rows_above(chart: Chart) -> int:
    """Return how many rows the legend above a chart has: two entries each."""
    return 0 if chart.legend else -(-len(_entries(chart)) // 2)


def _entries(chart: Chart) -> list[tuple[str, Callable[[Element, float, float], None]]]:
    """Return for each entry of the legend its name, and what draws its sample at a point."""
    entries = [(series.label, _sample(series)) for series in chart.series]
    return [*entries, (chart.bars_label, _sample_bar)] if chart.bars else entries


def _sample(series: Series) -> Callable[[Element, float, float], None]:
    def draw(group: Element, x: float, y: float) -> None:
        _line(group, series, [(x, y), (x + _SAMPLE - 6, y)])
        _dots(group, series, [(x + (_SAMPLE - 6) / 2, y)])

    return draw


def _sample_bar(group: Element, x: float, y: float) -> None:
    place = {"x": number(x), "y": number(y - 4), "width": str(_SAMPLE - 6), "height": "8"}
    SubElement(group, "rect", {**place, "fill": _GREY})


def _line(group: Element, series: Series, points: Points) -> None:
    if series.line == "none":
        return
    dashes = {"stroke-dasharray": "6 3"} if series.line == "dashed" else {}
    path = "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)
    style = {"fill": "none", "stroke": series.colour, "stroke-width": "2", "stroke-linejoin": "round"}
    SubElement(group, "path", {"d": path, **style, **dashes})


def _dots(group: Element, series: Series, points: Points) -> None:
    if series.radius:
        for x, y in points:
            SubElement(group, "circle", cx=number(x), cy=number(y), r=number(series.radius))


class _Painter:
    """Draws one chart into a group.

    Args:
        chart: the chart.
        group: the group.
        above: height of the legend above it.
        width, height: of the chart with its legend and its labels.
    """

    def __init__(self, chart: Chart, group: Element, above: float, width: float, height: float) -> None:
        self.chart, self.group = chart, group
        points = [point for series in chart.series for point in series.points]
        edges = [x + side * _BAR / 2 for x, _ in chart.bars for side in (-1, 1)]
        self.x = axis_for([*edges, *(x for x, _ in points)], most=6, whole=chart.whole_x)
        self.y = axis_for([y for _, y in points], most=7, limits=chart.y_limits)
        name = _LINE + 3 if chart.y_label else 0
        self.left = _GAP + name + max(map(len, self.y.labels), default=0) * _CHARACTER * _LETTER + _TICK
        self.right = width - _GAP - self._legend_width()
        self.top, self.bottom = above + 4, height - _LABELS

    def _legend_width(self) -> float:
        """Return the width of a legend on the right; 0 without one."""
        if not self.chart.legend:
            return 0.0
        names = [len(name) * _CHARACTER * _SMALL + _SAMPLE for name, _ in _entries(self.chart)]
        return _GAP + max([len(self.chart.legend) * _CHARACTER * _LETTER, *names])

    def paint(self) -> None:
        """Draw the chart."""
        self._axes()
        for x, y in self.chart.bars:
            (left, top), (right, bottom) = self._place(x - _BAR / 2, y), self._place(x + _BAR / 2, 0.0)
            size = {"width": number(right - left), "height": number(bottom - top)}
            SubElement(self.group, "rect", {"x": number(left), "y": number(top), **size, "fill": _GREY})
        for series in self.chart.series:
            group = SubElement(self.group, "g", {"id": series.id, "fill": series.colour})
            places = [self._place(x, y) for x, y in series.points]
            _line(group, series, places)
            _dots(group, series, places)
        self._legend()

    def _place(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixels of a point."""
        return (
            self.left + (self.right - self.left) * self.x.share(x),
            self.bottom - (self.bottom - self.top) * self.y.share(y),
        )

    def _axes(self) -> None:
        """Draw the frame, and at each tick a line and its value."""
        middle = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        size = {"width": number(self.right - self.left), "height": number(self.bottom - self.top)}
        corner = {"x": number(self.left), "y": number(self.top)}
        SubElement(self.group, "rect", {**corner, **size, "fill": "none", "stroke": "#444"})
        for value, label in _labelled(self.x):
            x, _ = self._place(value, self.y.low)
            self._grid(f"M{number(x)} {number(self.top)}V{number(self.bottom + _TICK)}")
            text(self.group, label, x, self.bottom + _TICK + _LETTER, size=_LETTER, anchor="middle")
        for value, label in _labelled(self.y):
            _, y = self._place(self.x.low, value)
            self._grid(f"M{number(self.left - _TICK)} {number(y)}H{number(self.right)}")
            text(self.group, label, self.left - _TICK - 3, y + 4, size=_LETTER, anchor="end")
        text(self.group, self.chart.x_label, middle[0], self.bottom + 36, size=_LETTER, anchor="middle")
        if self.chart.y_label:
            turned = text(self.group, self.chart.y_label, 0, 0, size=_LETTER, anchor="middle")
            turned.set("transform", f"translate({_GAP + 4} {number(middle[1])}) rotate(-90)")

    def _grid(self, path: str) -> None:
        SubElement(self.group, "path", {"d": path, "stroke": "#ddd"})

    def _legend(self) -> None:
        """Draw the legend, above the chart in two columns or on its right in one."""
        columns = 1 if self.chart.legend else 2
        x, y = (self.right + _GAP, self.top + 2 * _LINE) if self.chart.legend else (_GAP, _LINE / 2)
        if self.chart.legend:
            text(self.group, self.chart.legend, x, self.top + _LETTER, size=_LETTER)
        wide = (self.right - x) / 2
        for place, (name, sample) in enumerate(_entries(self.chart)):
            row, column = divmod(place, columns)
            left, middle = x + column * wide, y + row * _LINE
            colour = self.chart.series[place].colour if place < len(self.chart.series) else _GREY
            sample(SubElement(self.group, "g", fill=colour), left, middle)
            text(self.group, name, left + _SAMPLE, middle + 4, size=_SMALL)


def _labelled(axis: Axis) -> list[tuple[float, str]]:
    return [*zip(axis.ticks, axis.labels, strict=True)]
