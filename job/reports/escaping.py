"""Make text from outside safe to show; no other module escapes.

Names, messages, dates, tokens and other text from a file, an environment variable or the command line may
contain control characters, terminal escapes, commands to a CI system, Markdown or HTML. Everything that is
shown passes through the function for its destination:

    terminal,           standard output and error, which may be a terminal or the log of a CI system
    terminal_lines
    json_document       a JSON document or line on standard output
    github_message,     the two parts of a workflow command of GitHub Actions
    github_property
    prose, code,        Markdown: in a paragraph, as a code span, as a code block
    fenced
    url_path            the path of a file in a link, in Markdown or HTML
    html, html_lines    HTML, called by the template engine
    xml                 text and attributes of XML and SVG: invalid characters are replaced
    prometheus_label    the value of a label in Prometheus' text format

They share `one_line`: text on one line, with every character visible. This module imports nothing of the
package, so that the error boundary can use it early.
"""

from __future__ import annotations

import re
from urllib.parse import quote

REPLACEMENT = "\ufffd"

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
# Marks that change the direction of writing, and characters without width. The joiners (U+200C, U+200D) are
# not among them: Persian, Indic scripts and emoji need them.
_INVISIBLE = (
    "\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_SURROGATE = "\ud800-\udfff"
_HIDDEN = re.compile(f"[{_CONTROL}{_INVISIBLE}{_SURROGATE}]")

# https://www.w3.org/TR/xml/#charsets; a reference to such a character is invalid too
_NOT_XML = re.compile(f"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f{_INVISIBLE}]")

# GitHub Actions executes `::name::` at the beginning of a line and, like Azure, `##[name]` and `##vso[name]`
# anywhere in it.
_AT_THE_START = re.compile(r"(?<!\S)::(?=\S)")
_ANYWHERE = re.compile(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)


def one_line(text: str) -> str:
    """Return text on one line, with every character visible.

    Control characters become their symbols (a line feed `␊`); characters without width and lone surrogates
    become the replacement character.
    """
    return _HIDDEN.sub(_visible, text)


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else REPLACEMENT


def shortened(text: str, length: int = 200) -> str:
    """Return text cut to at most `length` characters, ending in an ellipsis if it was cut."""
    return text if len(text) <= length else text[: length - 1] + "…"


# --- terminal and log ---------------------------------------------------------------------------------------


def terminal(text: str) -> str:
    """Return text for one line of a terminal or a log.

    It has no control characters and no command to a CI system, even if the line is broken at a space.
    """
    return _ANYWHERE.sub("# #", _AT_THE_START.sub(": :", one_line(text)))


def terminal_lines(text: str) -> list[str]:
    """Return the lines of a text, each escaped by `terminal`."""
    return [terminal(line) for line in text.splitlines()]


def json_document(text: str) -> str:
    """Return a JSON document of the same value without characters that a terminal or a CI system interprets.

    Args:
        text: JSON; outside of strings it may have only ASCII.
    """
    text = re.sub(f"[\x7f-\x9f\u2028\u2029{_INVISIBLE}{_SURROGATE}]", _json_escape, text)
    return _ANYWHERE.sub(r"#\\u0023", text)


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def github_message(text: str) -> str:
    """Return text as the message of a workflow command, on one line."""
    return _percent_encode(_ANYWHERE.sub("# #", one_line(text)))


def github_property(text: str) -> str:
    """Return text as the value of a property of a workflow command, such as its title."""
    return _percent_encode(_ANYWHERE.sub("# #", one_line(text)), ":,")


def _percent_encode(text: str, also: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{also}" else c for c in text)


# --- Markdown -----------------------------------------------------------------------------------------------

_MARKUP = re.compile(r"[^\w\s+,.;/%=-]|_")
_NO_CODE_SPAN = re.compile(r"[`|\\]|##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)
_LINK = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_BLOCK = re.compile(r"^(\s*)([-+=](?=\s|[-+=]|$)|\d{1,9}(?=[.)](?:\s|$)))")


def prose(text: str) -> str:
    """Return Markdown that shows the text unchanged in a paragraph, on one line."""
    text = re.sub(r"[\\`*\[\]<>|~$#&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", one_line(text))
    return _BLOCK.sub(_no_block, _LINK.sub(r"\\\g<0>", text))


def _no_block(match: re.Match[str]) -> str:
    mark = match[2]
    return f"{match[1]}&#{ord(mark[0])};{mark[1:]}" if mark.isdigit() else f"{match[1]}\\{mark}"


def code(text: str) -> str:
    """Return text as a code span that shows it exactly, on one line, also in a table cell.

    Control characters, and spaces that a browser would collapse, become their symbols; long text is cut.
    """
    text = re.sub(r"^ | $|(?<= ) ", "␣", one_line(shortened(text)))
    if not text:
        return "*(empty)*"
    if not _NO_CODE_SPAN.search(text):
        return f"`{text}`"
    # a code span has no backslash escapes, and `|` ends a table cell: use numeric references instead
    return f"<code>{re.sub(_MARKUP, _reference, text)}</code>"


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def fenced(text: str) -> str:
    """Return text as a code block, with a fence longer than any in the text."""
    # escaped as for a terminal, because such files are also printed in logs
    body = "\n".join(terminal_lines(shortened(text.strip(), 4000)))
    longest = max(map(len, re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"


def url_path(text: str) -> str:
    """Return the path of a file for a link in Markdown or HTML."""
    return quote(text.encode("utf-8", errors="replace"))


# --- HTML, XML, Prometheus ----------------------------------------------------------------------------------


def html(value: object) -> object:
    """Return a value as a template shows it: on one line, with every character visible.

    The template engine escapes it. Numbers and HTML are returned unchanged.
    """
    if isinstance(value, str) and value.isascii() and value.isprintable():
        return value  # the most frequent case: nothing to replace
    if isinstance(value, int | float) or hasattr(value, "__html__"):
        return value
    return xml(one_line(str(value)))


def html_lines(text: str) -> str:
    """Return a text of several lines for a `pre` element, cut; the template engine escapes it."""
    return "\n".join(xml(one_line(line)) for line in shortened(text.strip(), 4000).splitlines())


def xml(text: str) -> str:
    """Return text with characters that are invisible or invalid in XML replaced.

    Line ends and tabs stay; the XML writer escapes the rest.
    """
    return _NOT_XML.sub(REPLACEMENT, text)


def prometheus_label(text: str) -> str:
    """Return text as the value of a label, without the double quotes around it."""
    quoted = (one_line(line).replace("\\", r"\\").replace('"', r"\"") for line in text.split("\n"))
    return r"\n".join(quoted)
