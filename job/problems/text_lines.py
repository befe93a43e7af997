"""Bytes -> lines of text, the same for training data and for what a model is given to read.

Lines end at `\\n` or `\\r\\n` alone. All other characters at which Python's `str.splitlines` splits (U+2028,
NEL, form feed, a lone carriage return) are part of a line.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable
from dataclasses import dataclass


class BadLineError(ValueError):
    """A line cannot be read; the text says why and what was expected."""


@dataclass(frozen=True)
class TextLines:
    """The lines of a text as bytes, without their ends.

    Args:
        lines: the line after the last line end counts if there is something in it.
        decode: a function from a line to its text; raises what `decode_line` raises, or `UnicodeDecodeError`.
    """

    lines: list[bytes]
    decode: Callable[[bytes], str]

    @classmethod
    def of(cls, content: bytes) -> TextLines:
        """Split the content of a file from which the byte order mark at the start was removed."""
        odd = b"\0" in content or codecs.BOM_UTF8 in content
        # most files have neither, and a call less for each of their lines is felt on a big file
        return cls(content.removesuffix(b"\n").split(b"\n"), decode_line if odd else bytes.decode)


def decode_line(line: bytes) -> str:
    """Return the text of a line.

    Raises:
        BadLineError: it is not UTF-8, has a NUL, or begins with a byte order mark.
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
            "the line begins with a byte order mark (U+FEFF), as files joined together have it; remove it"
        )
    return text


def not_utf8(error: UnicodeDecodeError) -> BadLineError:
    """Return the complaint about a line that could not be decoded."""
    place = f"byte 0x{error.object[error.start]:02x} at byte {error.start + 1} of the line"
    return BadLineError(f"the line is not UTF-8 ({place}); save the file as UTF-8")
