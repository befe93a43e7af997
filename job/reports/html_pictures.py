"""Pictures of `report.html`: the jobs' drawings, embedded, and small lines of training loss and accuracy."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from job.results.job_result import JobResult
from job.storage.documents import read_regular

SPARKLINE_WIDTH, SPARKLINE_HEIGHT = 100, 24
"""Size of a sparkline's view box."""

_MARGIN = 2

_TITLES = {
    "curves.svg": "Training",
    "accuracy.svg": "Accuracy by position and by length",
    "contexts.svg": "Context vectors of test sources",
    "attention.svg": "Attention as the samples were written",
}
_WIDE = {"curves.svg", "attention.svg"}
_METADATA = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_TAG = re.compile(r"<\w[^<>]*>")
_COORDINATES = re.compile(r'(?<=\s)(?:d|x|y|transform)="[^"]*"')
_MORE_DECIMALS = re.compile(r"(?<=\.\d\d)\d+")
_FONTS = re.compile(r"font-family: 'DejaVu Sans',[^;\"]*sans-serif")
_DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawing of a job.

    Args:
        title: the caption.
        link: path of the drawing, relative to the page.
        description: text for screen readers.
        source: the drawing as a data URI; empty if the page only links to it.
        wide: whether it takes the whole width of the page.
    """

    title: str
    link: str
    description: str
    source: str
    wide: bool


def pictures(result: JobResult, directory: Path, room: int) -> tuple[list[Picture], int]:
    """Return a job's drawings.

    Args:
        result: of the job.
        directory: the job directory.
        room: bytes of drawings that may still be embedded in the page.

    Returns:
        the drawings, and the room that is left.
    """
    written = {artifact.path for artifact in result.artifacts}
    found = []
    for file, title in _TITLES.items():
        drawing = _packed(_read(directory / file)) if file in written else ""
        if drawing:
            embedded = len(drawing) <= room
            room -= len(drawing) if embedded else 0
            found.append(
                Picture(
                    title=title,
                    link=f"jobs/{result.name}/{file}",
                    description=_description(drawing),
                    source=data_uri(drawing) if embedded else "",
                    wide=file in _WIDE,
                )
            )
    return found, room


def _read(path: Path) -> str:
    """Return a drawing; empty if it cannot be read, or is a symbolic link, which could lead anywhere."""
    if path.parent.is_symlink() or path.is_symlink():
        return ""
    try:
        return read_regular(path).decode("utf-8")
    except (OSError, ValueError):
        return ""


def _packed(drawing: str) -> str:
    """Return a drawing with two decimals of each coordinate, without metadata, indents and lists of fonts.

    Text of the drawing is outside of tags and stays as it is.
    """
    drawing = _METADATA.sub("", drawing)
    drawing = re.sub(r"\n\s+(?=[<\n])", "\n", drawing)
    return _TAG.sub(_packed_tag, drawing)


def _packed_tag(tag: re.Match[str]) -> str:
    text = _COORDINATES.sub(lambda found: _MORE_DECIMALS.sub("", found[0]), tag[0])
    return _FONTS.sub("font-family: sans-serif", text)


def _description(drawing: str) -> str:
    found = _DESCRIPTION.search(drawing)
    return unescape(found[1]) if found else ""


def data_uri(drawing: str) -> str:
    """Return an SVG drawing as a data URI: inlined, its ids and styles would collide with other drawings'."""
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()


# --- sparklines ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sparkline:
    """A line chart as high as a line of text.

    Args:
        path: the `d` attribute of an SVG path.
        end: x and y of the last point.
        text: description for screen readers.
        range: the smallest and the greatest value, as text.
    """

    path: str
    end: tuple[float, float]
    text: str
    range: str


def sparkline(
    values: Sequence[float | None], name: str, *, low: float | None = None, high: float | None = None
) -> Sparkline | None:
    """Draw values at equal distances; return None if there is no finite one.

    Args:
        values: None and non-finite values are skipped.
        name: of the quantity, for the description.
        low, high: values at the bottom and the top; by default the minimum and the maximum.
    """
    known = [value for value in values if value is not None and math.isfinite(value)]
    if not known:
        return None
    bottom = min(known) if low is None else low
    span = (max(known) if high is None else high) - bottom
    points = [
        (_x(number, len(known)), _y((value - bottom) / span if span > 0 else 0.5))
        for number, value in enumerate(known)
    ]
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in points)
    ends = dict.fromkeys(f"{value:.3g}" for value in (min(known), max(known)))
    if len(known) == 1:
        return Sparkline(path, points[-1], f"{name}: {known[0]:.4g}", *ends)
    text = f"{name}, {len(known)} values: from {known[0]:.4g} to {known[-1]:.4g}"
    return Sparkline(path, points[-1], text, " to ".join(ends))


def _x(number: int, count: int) -> float:
    share = number / (count - 1) if count > 1 else 0.5
    return round(_MARGIN + (SPARKLINE_WIDTH - 2 * _MARGIN) * share, 2)


def _y(height: float) -> float:
    return round(SPARKLINE_HEIGHT - _MARGIN - (SPARKLINE_HEIGHT - 2 * _MARGIN) * height, 2)
