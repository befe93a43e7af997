"""Division of bytes into lines of text: the same for training data and for the inputs of a saved model.

Only `\\n` or `\\r\\n` ends a line. Other characters at which `str.splitlines` splits (U+2028, NEL,
form feed, a lone carriage return) are part of a line.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class BadLineError(ValueError):
    """A line that cannot be read; the message says why and what was expected."""


def split_lines(content: bytes) -> list[bytes]:
    """Return the lines of a text without their ends; what follows the last end is a line unless it is empty.

    Args:
        content: the content of a file, without the byte order mark at its start.
    """
    return content.removesuffix(b"\n").split(b"\n")


def decode_lines(lines: Sequence[bytes]) -> list[str] | None:
    """Return the texts of lines, all decoded at once; None if `decode_line` may refuse one of them.

    Args:
        lines: at least one line, without its end.
    """
    content = b"\n".join(lines)
    if b"\0" in content or codecs.BOM_UTF8 in content:
        return None
    try:
        return content.decode().split("\n")
    except UnicodeDecodeError:
        return None


def decode_line(line: bytes) -> str:
    """Return the text of a line.

    Raises:
        BadLineError: the line is not UTF-8, contains NUL, or begins with a byte order mark.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise not_utf8(error) from None
    if "\0" in text:
        raise BadLineError(
            f"character {text.index(chr(0)) + 1} of the line is NUL; expected text, so remove it, or save "
            "the file as UTF-8 if it has another encoding"
        )
    if text.startswith("\ufeff"):
        raise BadLineError(
            "the line begins with a byte order mark (U+FEFF), which remains when files are joined; remove it"
        )
    return text


def not_utf8(error: UnicodeDecodeError) -> BadLineError:
    """Return the error for a line that could not be decoded."""
    place = f"byte 0x{error.object[error.start]:02x} at byte {error.start + 1} of the line"
    return BadLineError(f"the line is not UTF-8 ({place}); save the file as UTF-8")
