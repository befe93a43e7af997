"""SVG drawings that screen readers can read: the page, its texts and its numbers."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from job.reports.escaping import one_line, shortened, xml

MAX_MARKED_POINTS = 40
"""Up to this number, the points of a line are also drawn as dots: a single one would not show as a line."""

SANS = "'DejaVu Sans', Verdana, sans-serif"
MONOSPACE = "'DejaVu Sans Mono', Menlo, Consolas, monospace"


def page(title: str, description: str, *, font: str = SANS) -> Element:
    """Return the root of a drawing on white, with a title and a description for screen readers.

    Args:
        title: what screen readers call the drawing.
        description: of what the drawing shows, in words.
        font: `font-family` of its texts.
    """
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": font})
    SubElement(root, "title").text = printable(title)
    SubElement(root, "desc").text = printable(description)
    SubElement(root, "rect", width="100%", height="100%", fill="white")
    return root


def content(root: Element, *, width: float, height: float) -> str:
    """Return the content of the SVG file; the same drawing gives the same bytes.

    Args:
        root: see `page`.
        width, height: of the drawing, in pixels.
    """
    size = number(width), number(height)
    root.attrib |= {"width": size[0], "height": size[1], "viewBox": f"0 0 {' '.join(size)}"}
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def text(
    parent: Element, words: str, x: float, y: float, *, size: int = 11, anchor: str = "start"
) -> Element:
    """Add a text at a point of its baseline: at its start, `middle` or `end`."""
    attributes = {"x": number(x), "y": number(y), "font-size": str(size), "text-anchor": anchor}
    element = SubElement(parent, "text", attributes)
    element.text = printable(words)
    return element


def number(value: float) -> str:
    """Return a coordinate with at most two decimals."""
    return f"{round(value, 2) + 0.0:.12g}"  # adding 0 leaves no -0


def printable(words: str, length: int | None = None) -> str:
    """Return text that is valid in XML, cut to `length` characters; if it is all spaces, they are visible."""
    words = words.replace(" ", "␣") if words.isspace() else words
    return xml(one_line(words if length is None else shortened(words, length)))
