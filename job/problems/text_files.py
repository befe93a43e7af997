"""Text files in blocks of whole lines: a large file is never in memory as a whole."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, Protocol, cast

from job.errors import ChangedDataError, DataError
from job.problems import data_files
from job.problems.text_lines import split_lines
from job.spec.file_locations import changed_data
from job.storage.store_address import shown

BLOCK_BYTES = 1 << 20
"""Number of bytes that are read at once."""

PART_LINES = 1000
"""Number of lines that are parsed at once; one that needs attention costs the time of this many."""

HELD_BYTES = 8 << 20
"""Largest size of a file that is read once and kept until it is parsed; larger ones are read twice."""


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class TextFile:
    """A text file that is not empty.

    Args:
        path: the file.
        sha256: SHA-256, in hex, of its bytes on the disk.
        size: number of these bytes.
        lines: number of its lines.
        content: its text, without a byte order mark, uncompressed; None for a large file.
    """

    path: Path
    sha256: str
    size: int
    lines: int
    content: bytes | None

    def blocks(self) -> Iterator[list[bytes]]:
        """Yield the lines in blocks, without their ends; a large file is read and hashed again.

        Raises:
            ChangedDataError: the file has changed since it was opened.
        """
        if self.content is not None:
            yield from map(split_lines, _whole_lines(io.BytesIO(self.content)))
            return
        try:
            with _unpacked(self.path) as (hashed, text):
                first = text.read(BLOCK_BYTES).removeprefix(codecs.BOM_UTF8)
                yield from map(split_lines, _whole_lines(text, first))
                found = hashed.hexdigest()
        except (DataError, EOFError, OSError, zlib.error) as error:
            raise ChangedDataError(shown(self.path), f"can no longer be read ({error})") from error
        if found != self.sha256:
            raise changed_data(shown(self.path), self.sha256, found)

    def parts(self) -> Iterator[tuple[int, list[bytes]]]:
        """Yield the number of a line, from 1, and `PART_LINES` lines from it on; raises as `blocks` does."""
        lines = chain.from_iterable(self.blocks())
        number = 1
        while part := list(islice(lines, PART_LINES)):
            yield number, part
            number += len(part)

    def numbered_lines(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number, from 1, and the bytes of each line; raises as `blocks` does."""
        yield from enumerate(chain.from_iterable(self.blocks()), 1)


def open_text(path: Path, planned: str | None = None) -> TextFile:
    """Check a text file and compute its checksum.

    Args:
        path: the file; uncompressed if its name ends in `.gz`.
        planned: the SHA-256 that it must have, None to accept any content.

    Raises:
        ChangedDataError: the file has another SHA-256 than `planned`, or can no longer be read.
        DataError: the file cannot be read, or is empty.
    """
    try:
        size = data_files.check_regular(path)
    except DataError as error:
        raise data_files.unreadable(path, planned, error) from error
    if size <= HELD_BYTES:
        data = data_files.read_data(path, planned)
        return TextFile(
            path=path,
            sha256=data.sha256,
            size=size,
            lines=data.content.count(b"\n") + (not data.content.endswith(b"\n")),
            content=data.content,
        )
    return _scanned(path, size, planned)


def _scanned(path: Path, size: int, planned: str | None) -> TextFile:
    """Read a large file once, to check it, to hash it and to count its lines."""
    lines, filled, last = 0, False, b""
    unpacked = 0
    with data_files.reading(path), _unpacked(path) as (hashed, text):
        try:
            for block in iter(lambda: text.read(BLOCK_BYTES), b""):
                lines += block.count(b"\n")
                filled = filled or bool(block.strip())
                unpacked, last = unpacked + len(block), block
                data_files.check_unpacked_size(path, unpacked)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise data_files.bad_gzip(path, error) from None
        found = hashed.hexdigest()
    if planned is not None and found != planned:
        raise changed_data(shown(path), planned, found)
    if not filled:
        raise data_files.empty(path)
    lines += not last.endswith(b"\n")
    return TextFile(path=path, sha256=found, size=size, lines=lines, content=None)


class _Hashed:
    """A file that hashes what is read from it."""

    def __init__(self, file: _Readable) -> None:
        self._file, self._digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._digest.update(data)
        return data

    def hexdigest(self) -> str:
        """Return the SHA-256 of the whole file."""
        while self.read(BLOCK_BYTES):
            pass
        return self._digest.hexdigest()


@contextmanager
def _unpacked(path: Path) -> Iterator[tuple[_Hashed, _Readable]]:
    """Open a file; yield it, hashed, and its text."""
    with path.open("rb") as file:
        hashed = _Hashed(file)
        if path.suffix != ".gz":
            yield hashed, hashed
            return
        with gzip.GzipFile(fileobj=cast(IO[bytes], hashed), mode="rb") as text:
            yield hashed, text


def _whole_lines(file: _Readable, first: bytes = b"") -> Iterator[bytes]:
    """Yield the content of a file in blocks of whole lines, `first` being what is read of it already."""
    rest = [first]
    while part := file.read(BLOCK_BYTES):
        before, end, after = part.rpartition(b"\n")
        if end:
            yield b"".join([*rest, before, end])
            rest = [after]
        else:
            rest.append(part)
    if last := b"".join(rest):
        yield last
