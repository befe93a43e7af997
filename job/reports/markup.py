"""Text from outside -> Markdown that shows it as it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from job.reports.formatting import shortened, visible

_MARKUP = re.compile(r"[^\w\s+,.;/%=-]|_")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], alignment: str) -> str:
    """Lay a table out; cells are Markdown, `alignment` has `l` or `r` for each column."""
    rule = ["---:" if side == "r" else "---" for side in alignment]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [columns, rule, *rows])


def code(text: str) -> str:
    """Return text as an inline code span that shows it exactly, on one line, also in a table's cell.

    Spaces that a browser would swallow and control characters are shown by their pictures; long text is cut.
    """
    text = re.sub(r"^ | $|(?<= ) ", "␣", visible(shortened(text)))
    if not text:
        return "*(empty)*"
    if not re.search(r"[`|\\]", text):
        return f"`{text}`"
    # No backslash helps inside a code span, and a table cell ends at a bar: numeric references instead.
    return f"<code>{re.sub(_MARKUP, _reference, text)}</code>"


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def prose(text: str) -> str:
    """Return text that reads as it is within a paragraph, on one line."""
    return re.sub(r"[\\`*\[\]<>|~$#&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", visible(text))


def fenced(text: str) -> str:
    """Return text as a code block, whatever fences it holds itself."""
    lines = "\n".join(map(visible, shortened(text.strip(), 4000).splitlines()))
    longest = max(map(len, re.findall("`+", lines)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{lines}\n{fence}"
