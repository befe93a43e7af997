"""Write drawings as SVG files that screen readers can read, with the same bytes every time."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Literal
from xml.sax.saxutils import escape

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from job.reports.escaping import one_line, shortened, xml

_STYLE = {
    "svg.fonttype": "none",  # text stays text, for screen readers and search
    "svg.hashsalt": "seq2seq-job",  # without it, the ids in the file are random
    "text.parse_math": False,  # a token may be `$`
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
    "axes.formatter.limits": (-3, 5),  # outside of these powers of ten, the power stands above the axis
}
MAX_MARKED_POINTS = 40
"""Up to this number, the points of a line are also drawn as dots: a single one would not show as a line."""

# matplotlib only measures text with its own font; the reader's fonts may have characters that it lacks.
_IGNORED_WARNINGS = ("Glyph ", "Matplotlib currently does not support ")


def panels(figure: Figure, count: int, *, above: float = 0.15) -> list[Axes]:
    """Return panels side by side, with room for a title, axis labels and numbers of up to six characters.

    matplotlib's constrained layout would find the room by drawing everything twice: half of a plot's time.

    Args:
        figure: in which nothing else is drawn but a title.
        count: number of panels.
        above: room between the title and the panels, in inches.
    """
    left, right, between, below, title = 0.8, 0.3, 0.9, 0.55, 0.3
    width, height = figure.get_size_inches()
    panel = (width - left - right - (count - 1) * between) / count
    figure.subplots_adjust(
        left=left / width,
        right=1 - right / width,
        bottom=below / height,
        top=1 - (title + above) / height,
        wspace=between / panel,
    )
    return [*figure.subplots(1, count, squeeze=False)[0]]


def svg(
    paint: Callable[[Figure], None],
    *,
    width: float,
    height: float,
    title: str,
    description: str,
    layout: Literal["constrained"] | None = None,
) -> str:
    """Return an SVG file's content, with a title and a description for screen readers.

    Args:
        paint: draws into the empty figure.
        width, height: in inches.
        title: also written above the drawing.
        description: of what the drawing shows, in words.
        layout: `constrained` to leave room for all that is drawn; None if `paint` does, see `panels`.
    """
    title, description = printable(title), printable(description)
    # matplotlib settings of the user must not change the file
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        for start in _IGNORED_WARNINGS:
            warnings.filterwarnings("ignore", start, UserWarning)
        figure = Figure(figsize=(width, height), layout=layout)
        figure.suptitle(title)
        paint(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    # matplotlib writes neither the role nor the description
    text = file.getvalue().replace("<svg ", '<svg role="img" ', 1)
    return text.replace("</title>", f"</title>\n <desc>{escape(description)}</desc>", 1)


def printable(text: str, length: int | None = None) -> str:
    """Return text that is valid in XML, cut to `length` characters; if it is all spaces, they are visible."""
    text = text.replace(" ", "␣") if text.isspace() else text
    return xml(one_line(text if length is None else shortened(text, length)))
