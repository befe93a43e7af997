"""Text from outside -> text that is safe to show: the one place where that is done.

Names, messages, dates, tokens and whatever else was read from a file, an environment variable or the
command line may hold control characters, terminal escapes, commands to a CI system, Markdown or HTML.
Everything that is shown passes through the function for the place where it goes:

    terminal,           standard output and error, which may be a terminal or the log of a CI system
    terminal_lines
    json_document       a JSON document or line that is printed there
    github_message,     the two parts of a workflow command of GitHub Actions
    github_property
    prose, code,        Markdown: within a paragraph, as a code span, as a code block
    fenced
    url_path            the address of a file, in either
    html, html_lines    HTML; the template engine calls them
    xml                 text and attributes of XML, SVG too: what escaping cannot express is replaced
    prometheus_label    the value of a label in Prometheus' text format

`one_line` is what they share: text of one line, in which every character can be seen. This module imports
nothing of the package, so that the error boundary can use it early.
"""

from __future__ import annotations

import re
from urllib.parse import quote

REPLACEMENT = "\ufffd"

_CONTROL = "\x00-\x1f\x7f-\x9f\u2028\u2029"
# Marks that turn the direction of writing, and characters without any width. The joiners (U+200C, U+200D) are
# not among them: Persian, Indic scripts and emoji are written with them.
_UNSEEN = "\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
_SURROGATE = "\ud800-\udfff"
_HIDDEN = re.compile(f"[{_CONTROL}{_UNSEEN}{_SURROGATE}]")

# https://www.w3.org/TR/xml/#charsets, which escaping cannot get round
_NOT_XML = re.compile(f"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f{_UNSEEN}]")

# GitHub Actions takes `::name::` at the beginning of a line, and like Azure `##[name]` and `##vso[name]`
# anywhere.
_AT_THE_START = re.compile(r"(?<!\S)::(?=\S)")
_ANYWHERE = re.compile(r"##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)


def one_line(text: str) -> str:
    """Return text on one line, in which every character can be seen.

    Control characters are shown by their pictures (a line feed is `␊`); marks without a width, and halves of
    surrogate pairs, as the replacement character.
    """
    return _HIDDEN.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "␡" if code == 0x7F else REPLACEMENT


def shortened(text: str, length: int = 200) -> str:
    """Return text cut to at most `length` characters, the cut marked by an ellipsis."""
    return text if len(text) <= length else text[: length - 1] + "…"


# --- terminal and log ---------------------------------------------------------------------------------------


def terminal(text: str) -> str:
    """Return text for one line of a terminal or a log: no control characters, and no command to a CI system,
    at whichever space the line is broken."""
    return _ANYWHERE.sub("# #", _AT_THE_START.sub(": :", one_line(text)))


def terminal_lines(text: str) -> list[str]:
    """Return each line of a text as `terminal` gives it."""
    return [terminal(line) for line in text.splitlines()]


def json_document(text: str) -> str:
    """Return a JSON document of the same value without characters that a terminal or a CI system acts on.

    Args:
        text: JSON; outside of strings it has white space and ASCII alone.
    """
    text = re.sub(f"[\x7f-\x9f\u2028\u2029{_UNSEEN}{_SURROGATE}]", _json_escape, text)
    return _ANYWHERE.sub(r"#\\u0023", text)


def _json_escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"


def github_message(text: str) -> str:
    """Return the message of a workflow command; it is shown as one line."""
    return _percent(_ANYWHERE.sub("# #", one_line(text)))


def github_property(text: str) -> str:
    """Return the value of a property of a workflow command, such as its title."""
    return _percent(_ANYWHERE.sub("# #", one_line(text)), ":,")


def _percent(text: str, besides: str = "") -> str:
    return "".join(f"%{ord(c):02X}" if c in f"%\r\n{besides}" else c for c in text)


# --- Markdown -----------------------------------------------------------------------------------------------

_MARKUP = re.compile(r"[^\w\s+,.;/%=-]|_")
_NO_CODE_SPAN = re.compile(r"[`|\\]|##(?=\[|vso\[|teamcity\[)", re.IGNORECASE)
_LINK = re.compile(r"(?<=[A-Za-z]):(?=//)|(?<=\bwww)\.", re.IGNORECASE)
_BLOCK = re.compile(r"^(\s*)([-+=](?=\s|[-+=]|$)|\d{1,9}(?=[.)](?:\s|$)))")


def prose(text: str) -> str:
    """Return Markdown that reads as the text does within a paragraph, on one line."""
    text = re.sub(r"[\\`*\[\]<>|~$#&!]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\\g<0>", one_line(text))
    return _BLOCK.sub(_no_block, _LINK.sub(r"\\\g<0>", text))


def _no_block(match: re.Match[str]) -> str:
    mark = match[2]
    return f"{match[1]}&#{ord(mark[0])};{mark[1:]}" if mark.isdigit() else f"{match[1]}\\{mark}"


def code(text: str) -> str:
    """Return text as an inline code span that shows it exactly, on one line, also in a table's cell.

    Spaces that a browser would swallow and control characters are shown by their pictures; long text is cut.
    """
    text = re.sub(r"^ | $|(?<= ) ", "␣", one_line(shortened(text)))
    if not text:
        return "*(empty)*"
    if not _NO_CODE_SPAN.search(text):
        return f"`{text}`"
    # No backslash helps inside a code span, and a table cell ends at a bar: numeric references instead.
    return f"<code>{re.sub(_MARKUP, _reference, text)}</code>"


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match[0])};"


def fenced(text: str) -> str:
    """Return text as a code block, whatever fences it holds itself."""
    # as on a terminal, for such files are printed in logs too
    body = "\n".join(terminal_lines(shortened(text.strip(), 4000)))
    longest = max(map(len, re.findall("`+", body)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{body}\n{fence}"


def url_path(text: str) -> str:
    """Return the path of a file as a part of an address, in Markdown or HTML."""
    return quote(text.encode("utf-8", errors="replace"))


# --- HTML, XML, Prometheus ----------------------------------------------------------------------------------


def html(value: object) -> object:
    """Return what a template shows of a value: one line in which every character can be seen.

    The template engine escapes it. Numbers, and what is HTML already, stay as they are.
    """
    if isinstance(value, int | float) or hasattr(value, "__html__"):
        return value
    return xml(one_line(str(value)))


def html_lines(text: str) -> str:
    """Return a text of several lines, cut, for a `pre` element; the template engine escapes it."""
    return "\n".join(xml(one_line(line)) for line in shortened(text.strip(), 4000).splitlines())


def xml(text: str) -> str:
    """Return text with a replacement character for each one that XML forbids or that cannot be seen.

    Line ends and tabs stay; whoever writes the XML escapes the rest.
    """
    return _NOT_XML.sub(REPLACEMENT, text)


def prometheus_label(text: str) -> str:
    """Return the value of a label, to stand between double quotes."""
    quoted = (one_line(line).replace("\\", r"\\").replace('"', r"\"") for line in text.split("\n"))
    return r"\n".join(quoted)
