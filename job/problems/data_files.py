"""Data files as bytes with their checksum, or a sentence about what is wrong with one."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import stat
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from job.errors import ChangedDataError, DataError
from job.problems.base import Problem
from job.spec.file_locations import changed_data

MOST_ERRORS = 20
"""Bad lines named one by one for a file; the rest are counted."""


MAX_BYTES = 4 << 30
"""Largest size of a file; it is held in memory, and its examples take several times as much."""

MAX_UNPACKED_BYTES = 1 << 30
"""Largest size of a `.gz` once it is unpacked. A few megabytes can unpack to more than any memory holds."""

_LARGEST_RATIO = 1032
"""How many times larger than the packed data the unpacked can be (DEFLATE, RFC 1951)."""


@dataclass(frozen=True)
class DataFile:
    """A text file that was read once.

    Args:
        content: unpacked where its name ends in `.gz`, without a byte order mark.
        sha256: of the very bytes that `content` was made from, as they lay on the disk, in hex.
    """

    content: bytes
    sha256: str


def read_data(path: Path, planned: str | None = None) -> DataFile:
    """Read a text file.

    Args:
        path: of the file.
        planned: the SHA-256 that it must have, None where any will do.

    Raises:
        ChangedDataError: it has another, or can no longer be read.
        DataError: the file cannot be read, or there is nothing in it.
    """
    try:
        data = _read(path)
    except DataError as error:
        if planned is None:
            raise
        raise ChangedDataError(str(path), f"can no longer be read ({error.message})") from error
    found = hashlib.sha256(data).hexdigest()
    if planned is not None and found != planned:
        raise changed_data(str(path), planned, found)
    if path.suffix == ".gz":
        data = _unpacked(data, path)
    if not data.strip():
        raise DataError("the file is empty; fill it or name another", file=path)
    return DataFile(data.removeprefix(codecs.BOM_UTF8), found)


def all_checksums(problems: Mapping[str, Problem]) -> dict[str, dict[str, str]]:
    """Return what `checksums_of` returns for problems by job name; several jobs may share a problem."""
    found = {id(problem): checksums_of(problem) for problem in problems.values()}
    return {name: found[id(problem)] for name, problem in problems.items()}


def checksums_of(problem: Problem) -> dict[str, str]:
    """Return the SHA-256 of each file that a problem says it has read: `files` of its description."""
    files = problem.describe().get("files")
    if not isinstance(files, Mapping):
        return {}
    return {str(name): text for name, text in files.items() if _is_checksum(text)}


def _is_checksum(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None


def _read(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise DataError("the file is a directory; name a file inside it", file=path)
        if not stat.S_ISREG(mode):
            raise DataError("the file is a device or a pipe; name a regular file", file=path)
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"the file is larger than {MAX_BYTES:,} bytes; give a part of it", file=path)
        return path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            "the file is not there; check the name (relative names start where the spec lies)", file=path
        ) from None
    except PermissionError:
        raise DataError(
            "the file may not be read; give this user read permission (chmod +r)", file=path
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise DataError(f"the file cannot be read ({error}); name another", file=path) from None


def _unpacked(data: bytes, path: Path) -> bytes:
    try:
        if len(data) * _LARGEST_RATIO > MAX_UNPACKED_BYTES:  # else it is not worth to unpack it twice
            _check_unpacked(data, path)
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise DataError(
            f"the name ends in .gz, but the file is not whole gzip data ({error}); compress it again, or "
            "rename it if it is not compressed",
            file=path,
        ) from None


def _check_unpacked(data: bytes, path: Path) -> None:
    """Unpack a part at a time, keeping none, and refuse what would be too large."""
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while part := file.read(1 << 20):
            size += len(part)
            if size > MAX_UNPACKED_BYTES:
                raise DataError(
                    f"the file unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; give a part of it, or "
                    "unpack it yourself if it is right",
                    file=path,
                )
