"""Draw attention weights as `attention.svg`, a heat map per sample.

The SVG is written directly, without matplotlib: tokens may have characters that no local font has, and a map
takes only a few paths.
"""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from job.reports.svg import printable

Sample = Mapping[str, Any]
"""A row of a result's `attention`.

`source` and `predicted` are tokens; `weights` is (predicted, source) in 0..1. If only the first tokens are
kept, `source_tokens` and `predicted_tokens` are the numbers before that. `reserved` has the indices of
`predicted` that are reserved symbols, such as the end, and not tokens of the data.
"""

_SHADES = 20
"""Number of shades of the weights: more cannot be told apart."""

_DARKEST = (8, 48, 107)
"""Red, green, blue of weight 1; 0 is white."""

_MAX_LABEL = 12
"""Characters of a token in a label."""

_RESERVED = {"font-style": "italic", "fill": "#666"}
"""Style of the label of a reserved symbol: a token of the data may be spelled the same."""

_COLUMNS = 5

_PAGE = {
    "xmlns": "http://www.w3.org/2000/svg",
    "role": "img",
    "font-family": "'DejaVu Sans Mono', Menlo, Consolas, monospace",
}

# pixels
_CELL = 18
_CHARACTER = 7
_LINE = 18
_GAP = 24
_TITLE = 110
_WIDTH = 1000


def attention_svg(attention: Sequence[Sample], correct: Sequence[bool | None], *, title: str) -> str:
    """Draw attention weights: the columns are source tokens, the rows predicted tokens.

    The same weights give the same bytes. Each map is a group `sample-1`, `sample-2`, ...

    Args:
        attention: at least one sample.
        correct: whether the prediction of each sample is right; None for numbers.
        title: the drawing's title.

    Returns:
        the SVG file's content, with a title and a description for screen readers.
    """
    left = max((_width(token) for sample in attention for token in _labels(sample, "predicted")), default=0)
    wide = _GAP + left + max(_TITLE, *(len(sample["source"]) * _CELL for sample in attention))
    columns = max(1, min(_COLUMNS, len(attention), _WIDTH // wide))
    root = Element("svg", _PAGE)
    SubElement(root, "title").text = printable(title)
    SubElement(root, "desc").text = _description(attention)
    SubElement(root, "rect", width="100%", height="100%", fill="white")
    _text(root, title, _GAP, _LINE + 4, size=14)
    _scale(root, _GAP, 2 * _LINE)
    y = 4 * _LINE
    for first in range(0, len(attention), columns):
        row = range(first, min(first + columns, len(attention)))
        for number in row:
            x = _GAP + left + number % columns * wide
            _panel(root, attention[number], number + 1, correct[number], f"translate({x} {y})")
        y += max(_height(attention[number]) for number in row) + 2 * _LINE
    width = str(_GAP + columns * wide)
    root.attrib |= {"width": width, "height": str(y - _LINE), "viewBox": f"0 0 {width} {y - _LINE}"}
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _panel(root: Element, sample: Sample, number: int, correct: bool | None, transform: str) -> None:
    verdict = "" if correct is None else ", right" if correct else ", wrong"
    group = SubElement(root, "g", id=f"sample-{number}", transform=transform)
    _text(group, f"sample {number}{verdict}", 0, -6)
    _heat_map(group, sample)


def _heat_map(group: Element, sample: Sample) -> None:
    sources, predictions = _labels(sample, "source"), _labels(sample, "predicted")
    width, height = len(sources) * _CELL, len(predictions) * _CELL
    _shades(group, sample["weights"])
    frame = {"fill": "none", "stroke": "#888", "width": str(width), "height": str(height)}
    SubElement(group, "rect", frame)
    reserved = frozenset(sample.get("reserved", ()))
    for row, token in enumerate(predictions):
        label = _text(group, token, -4, row * _CELL + 13, anchor="end")
        if row in reserved:
            label.attrib |= _RESERVED
    level = _fit_side_by_side(sources)
    for column, token in enumerate(sources):
        middle = column * _CELL + _CELL // 2
        if level:
            _text(group, token, middle, height + 13, anchor="middle")
        else:
            turned = _text(group, token, 0, 0, anchor="end")
            turned.set("transform", f"translate({middle + 4} {height + 4}) rotate(-90)")
    if cut := _cut(sample):
        _text(group, cut, 0, height + _label_height(sources) + 12)


def _shades(group: Element, weights: Sequence[Sequence[float]]) -> None:
    """Draw a path per shade that occurs."""
    squares: dict[int, list[str]] = defaultdict(list)
    for row, line in enumerate(weights):
        for column, weight in enumerate(line):
            squares[round(weight * _SHADES)].append(_square(column, row))
    for shade, places in sorted(squares.items()):
        if shade:
            SubElement(group, "path", fill=_colour(shade), d="".join(places))


def _square(column: int, row: int) -> str:
    return f"M{column * _CELL} {row * _CELL}h{_CELL}v{_CELL}h-{_CELL}z"


def _colour(shade: int) -> str:
    mixed = (round(255 + (dark - 255) * shade / _SHADES) for dark in _DARKEST)
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _scale(root: Element, x: int, y: int) -> None:
    """Draw the legend of the shades."""
    group = SubElement(root, "g", id="scale", transform=f"translate({x} {y})")
    for shade in range(_SHADES + 1):
        SubElement(
            group, "rect", x=str(28 + 8 * shade), width="8", height="10", fill=_colour(shade), stroke="none"
        )
    _text(group, "0", 20, 9, anchor="end")
    _text(group, "1, weight of a source token", 36 + 8 * (_SHADES + 1), 9)


def _text(parent: Element, text: str, x: int, y: int, *, size: int = 11, anchor: str = "start") -> Element:
    attributes = {"x": str(x), "y": str(y), "font-size": str(size), "text-anchor": anchor}
    element = SubElement(parent, "text", attributes)
    element.text = printable(text)
    return element


def _labels(sample: Sample, side: str) -> list[str]:
    return [printable(token, _MAX_LABEL) for token in sample[side]]


def _width(label: str) -> int:
    """Return the approximate width of a label in pixels: East Asian characters take two columns."""
    return _CHARACTER * sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in label)


def _fit_side_by_side(sources: Sequence[str]) -> bool:
    """Return whether the labels fit side by side, without turning them."""
    return all(_width(label) <= _CELL for label in sources)


def _label_height(sources: Sequence[str]) -> int:
    return _LINE if _fit_side_by_side(sources) else max(map(_width, sources)) + 4


def _height(sample: Sample) -> int:
    note = _LINE if _cut(sample) else 0
    return len(sample["predicted"]) * _CELL + _label_height(_labels(sample, "source")) + note


def _cut(sample: Sample) -> str:
    """Return how many tokens are shown of how many; empty if all are."""
    parts = [
        f"first {len(sample[side])} of {sample[f'{side}_tokens']} {name}"
        for side, name in (("source", "source tokens"), ("predicted", "predicted ones"))
        if sample.get(f"{side}_tokens", 0) > len(sample[side])
    ]
    return ", ".join(parts)


def _description(attention: Sequence[Sample]) -> str:
    samples = (f"Sample {number}: {_largest_weights(sample)}." for number, sample in enumerate(attention, 1))
    return " ".join(["The source token with the largest weight for each predicted token.", *samples])


def _largest_weights(sample: Sample) -> str:
    sources, predictions = _labels(sample, "source"), _labels(sample, "predicted")
    pairs = [
        f"{token} at {sources[max(range(len(line)), key=line.__getitem__)]}"
        for token, line in zip(predictions, sample["weights"], strict=True)
        if line
    ]
    return ", ".join(pairs) or "nothing"
