"""Read files of any origin: regular files of bounded size, parsed as strict JSON.

Results, reports, plans and vocabularies come from other runs, machines and versions. Whatever such a file
contains, reading it returns its value or raises an `OSError` or a `DocumentError`, whose text is one clause.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
from pathlib import Path
from typing import IO, Any, NoReturn

MAX_BYTES = 1 << 30
"""Maximum size of a file; a `report.json` of a thousand jobs has a few percent of it."""

MAX_DEPTH = 100
"""Maximum nesting of a document; this package writes about ten levels."""

MAX_DIGITS = 300
"""Maximum number of digits of an integer; a longer one does not fit into a float."""

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_NO_BRACKET = bytes(sorted({*range(256)} - {*b'[]{}"'}))
_KINDS = bytes.maketrans(b"123456789.E \t\n\r\v\f:,[-", b"0" * 10 + b"e" + b" " * 10)
_HUGE = re.compile(
    rb" 0(?:0{199}|0*e\+?000)"
)  # of kinds, after what may be before a number; not in checksums
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


class DocumentError(ValueError):
    """The content of a file is not a valid document; the text is one clause that says why."""


def open_regular(path: Path) -> IO[bytes]:
    """Open a regular file for reading; reading a pipe or a device could block for ever.

    Raises:
        OSError: it cannot be opened or is not a regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a name with a NUL character, which no file has
        raise FileNotFoundError(errno.ENOENT, str(error), str(path)) from error
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory, not a file", str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def open_waiting(path: Path) -> IO[bytes]:
    """Open a file or a pipe for reading; a pipe without a writer is empty and does not block.

    Raises:
        OSError: it cannot be opened, or is a directory.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, "it is a directory, not a file", str(path))
        os.set_blocking(descriptor, True)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path, limit: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file.

    Raises:
        OSError: it cannot be read, is not a regular file, or is larger than `limit` bytes.
    """
    with open_regular(path) as file:
        if os.fstat(file.fileno()).st_size > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes", str(path))
        content = file.read(limit + 1)
    if len(content) > limit:  # it has grown since
        raise OSError(errno.EFBIG, f"it is larger than {limit:,} bytes", str(path))
    return content


def why(error: Exception) -> str:
    """Return in one line why a file could not be read or parsed."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return next(iter(text.splitlines()), "") or type(error).__name__


def read_json(path: Path, limit: int = MAX_BYTES) -> Any:
    """Return the value in a JSON file.

    Raises:
        OSError: see `read_regular`.
        DocumentError: see `parse_json`.
    """
    return parse_json(read_regular(path, limit))


def read_object(path: Path, limit: int = MAX_BYTES) -> dict[str, Any]:
    """Return the JSON object in a file; {} if there is no such file, or if it contains anything else."""
    try:
        value = read_json(path, limit)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def parse_json(text: str | bytes, *, finite: bool = True) -> Any:
    """Return the value of a JSON text (RFC 8259, UTF-8).

    Args:
        text: the whole document.
        finite: whether to refuse numbers that are not finite.

    Raises:
        DocumentError: it is not JSON, is not UTF-8, is nested deeper than `MAX_DEPTH`, contains a key
            twice, a number that is not finite or has more than `MAX_DIGITS` digits, or half of a surrogate
            pair, which is not valid text.
    """
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    decoded = _decoded(data)
    _check_depth(data)
    # a Python function for every number is slow, so it is used only where a number may be too large
    numbers: dict[str, Any] = {"parse_constant": _not_finite} if finite else {}
    if _may_have_huge(data):
        numbers |= {"parse_int": _integer, **({"parse_float": _float} if finite else {})}
    try:
        value = json.loads(decoded, object_pairs_hook=_object, **numbers)
    except json.JSONDecodeError as error:
        raise DocumentError(f"it is not JSON: {error}") from None
    except RecursionError:  # text that is not JSON can be nested deeper than `_check_depth` finds
        raise DocumentError(f"it is nested more than {MAX_DEPTH} levels deep") from None
    if _SURROGATE.search(data):
        _check_text(value)
    return value


def may_have_nonfinite(text: str | bytes) -> bool:
    """Return whether numbers of a JSON text may be NaN or infinite, without parsing it."""
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return b"NaN" in data or b"Infinity" in data or _may_have_huge(data)


def _may_have_huge(data: bytes) -> bool:
    """Return whether a number may have 200 digits, or an exponent from 100."""
    return _HUGE.search(b" " + data.translate(_KINDS)) is not None


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DocumentError(f"it is not UTF-8: byte 0x{data[error.start]:02x} at {error.start}") from None
    if not text.strip():
        raise DocumentError("it is empty")
    if text.startswith("\ufeff"):
        raise DocumentError("it begins with a byte order mark, which JSON does not allow")
    return text


def _check_depth(data: bytes) -> None:
    """Refuse deep nesting before recursive code reads the text, by removing pairs of brackets from inside."""
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    # Without what is between them, most strings are a pair of quotes. A pair of the end of a string and the
    # beginning of the next can be removed too: what was in a string stays in one.
    kept = _ESCAPED.sub(b"", data).translate(None, _NO_BRACKET).replace(b'""', b"")
    brackets = _STRING.sub(b"", kept).replace(b"{", b"[").replace(b"}", b"]")
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets and len(brackets) > MAX_DEPTH:
        raise DocumentError(f"it is nested more than {MAX_DEPTH} levels deep, or its brackets do not match")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DocumentError(f"it contains the key {twice[:60]!r} twice")
    return found


def _not_finite(text: str) -> NoReturn:
    raise DocumentError(f"it contains {text}, which is not a finite number")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise DocumentError(f"it contains {text[:60]}, which is not a finite number")
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise DocumentError(f"it contains a number of {len(text):,} digits; at most {MAX_DIGITS} are allowed")
    return int(text)


def _check_text(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise DocumentError("it contains half of a surrogate pair, which is not valid text") from None
