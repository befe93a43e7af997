"""Reading of data files: contents, checksums, and errors for files that cannot be read."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import re
import stat
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from job.errors import ChangedDataError, DataError
from job.problems.base import Problem
from job.spec.file_locations import changed_data
from job.storage.store_address import shown

MAX_LISTED_ERRORS = 20
"""Largest number of bad lines that are listed for a file; the others are counted."""

MAX_BYTES = 4 << 30
"""Largest size of a file: it is loaded into memory, and its examples need several times as much."""

MAX_UNPACKED_BYTES = 1 << 30
"""Largest uncompressed size of a `.gz` file: a few megabytes can unpack to more than fits into memory."""

_LARGEST_RATIO = 1032
"""Largest possible compression ratio of DEFLATE (RFC 1951)."""


@dataclass(frozen=True)
class DataFile:
    """The content of a text file and its checksum, from a single read.

    Args:
        content: the text without a byte order mark, uncompressed if the name ends in `.gz`.
        sha256: SHA-256, in hex, of the bytes on the disk that `content` was made from.
    """

    content: bytes
    sha256: str


def read_data(path: Path, planned: str | None = None) -> DataFile:
    """Read a text file.

    Args:
        path: the file.
        planned: the SHA-256 that it must have, None to accept any content.

    Raises:
        ChangedDataError: the file has another SHA-256 than `planned`, or can no longer be read.
        DataError: the file cannot be read, or is empty.
    """
    try:
        data = _read(path)
    except DataError as error:
        raise unreadable(path, planned, error) from error
    found = hashlib.sha256(data).hexdigest()
    if planned is not None and found != planned:
        raise changed_data(shown(path), planned, found)
    if path.suffix == ".gz":
        data = _unpacked(data, path)
    if not data.strip():
        raise empty(path)
    return DataFile(data.removeprefix(codecs.BOM_UTF8), found)


def unreadable(path: Path, planned: str | None, error: DataError) -> DataError | ChangedDataError:
    """Return the error to raise for a file that cannot be read, but could be if it was planned."""
    if planned is None:
        return error
    return ChangedDataError(shown(path), f"can no longer be read ({error.message})")


def empty(path: Path) -> DataError:
    """Return the error for an empty file."""
    return DataError("the file is empty; fill it or name another", file=path)


def all_checksums(problems: Mapping[str, Problem]) -> dict[str, dict[str, str]]:
    """Return `checksums_of` for each job's problem; a problem shared by several jobs is described once."""
    found = {id(problem): checksums_of(problem) for problem in problems.values()}
    return {name: found[id(problem)] for name, problem in problems.items()}


def checksums_of(problem: Problem) -> dict[str, str]:
    """Return the SHA-256 of each file that a problem has read: `files` of its description."""
    files = problem.describe().get("files")
    if not isinstance(files, Mapping):
        return {}
    return {str(name): text for name, text in files.items() if _is_checksum(text)}


def _is_checksum(text: object) -> bool:
    return isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text) is not None


def check_regular(path: Path) -> int:
    """Return the size of a file in bytes.

    Raises:
        DataError: it cannot be read, is not a regular file, or is larger than `MAX_BYTES`.
    """
    with reading(path):
        facts = path.stat()
        if stat.S_ISDIR(facts.st_mode):
            raise DataError("the file is a directory; name a file inside it", file=path)
        if not stat.S_ISREG(facts.st_mode):
            raise DataError("the file is a device or a pipe; name a regular file", file=path)
        if facts.st_size > MAX_BYTES:
            raise DataError(f"the file is larger than {MAX_BYTES:,} bytes; give a part of it", file=path)
        return facts.st_size


def _read(path: Path) -> bytes:
    check_regular(path)
    with reading(path):
        return path.read_bytes()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Raise a `DataError` in place of an operating system's error in the block."""
    try:
        yield
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
        if len(data) * _LARGEST_RATIO > MAX_UNPACKED_BYTES:  # else it cannot be too large
            _check_unpacked(data, path)
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error) as error:
        raise bad_gzip(path, error) from None


def bad_gzip(path: Path, error: Exception) -> DataError:
    """Return the error for a file that cannot be uncompressed."""
    return DataError(
        f"the name ends in .gz, but the file is not whole gzip data ({error}); compress it again, or "
        "rename it if it is not compressed",
        file=path,
    )


def _check_unpacked(data: bytes, path: Path) -> None:
    """Uncompress in parts that are discarded, and raise `DataError` if the total is too large."""
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        while part := file.read(1 << 20):
            size += len(part)
            check_unpacked_size(path, size)


def check_unpacked_size(path: Path, size: int) -> None:
    """Raise `DataError` if a `.gz` file unpacks to more than `MAX_UNPACKED_BYTES`."""
    if path.suffix == ".gz" and size > MAX_UNPACKED_BYTES:
        raise DataError(
            f"the file unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; give a part of it, or "
            "unpack it yourself if this is correct",
            file=path,
        )
