"""How every drawing is made: an SVG file of the same bytes each time, that can be read aloud."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from xml.sax.saxutils import escape

import matplotlib
import matplotlib.style
from matplotlib.figure import Figure

from job.reports.escaping import one_line, shortened, xml

_STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud and searched
    "svg.hashsalt": "seq2seq-job",  # else the ids inside the file are random
    "text.parse_math": False,  # a token may be `$`
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.3,
}
# A reader's fonts have what matplotlib's own lacks, which it only measures with.
_NOT_OUR_CONCERN = ("Glyph ", "Matplotlib currently does not support ")


def svg(paint: Callable[[Figure], None], *, width: float, height: float, title: str, description: str) -> str:
    """Return an SVG file's content, with a title and a description for screen readers.

    Args:
        paint: draws into the empty figure.
        width, height: in inches.
        title: also stands above the drawing.
        description: what one would see.
    """
    title, description = printable(title), printable(description)
    # the user's own settings must not change the file
    with matplotlib.style.context(["default", _STYLE]), warnings.catch_warnings():
        for beginning in _NOT_OUR_CONCERN:
            warnings.filterwarnings("ignore", beginning, UserWarning)
        figure = Figure(figsize=(width, height), layout="constrained")
        figure.suptitle(title)
        paint(figure)
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Title": title, "Date": None, "Creator": None})
    # matplotlib writes neither the role nor the description
    text = file.getvalue().replace("<svg ", '<svg role="img" ', 1)
    return text.replace("</title>", f"</title>\n <desc>{escape(description)}</desc>", 1)


def printable(text: str, length: int | None = None) -> str:
    """Return text as XML can hold it, cut to `length` characters; spaces alone are shown by their picture."""
    text = text.replace(" ", "␣") if text.isspace() else text
    return xml(one_line(text if length is None else shortened(text, length)))
