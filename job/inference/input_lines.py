"""Read input lines from a file, a pipe or a terminal, in chunks.

A chunk contains the lines that are available, so that a program can write one line and wait for its
prediction; its size is limited. Lines are decoded like training data (see `job/problems/text_lines.py`).
"""

from __future__ import annotations

import codecs
import gzip
import io
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from job.errors import InputError
from job.problems.text_lines import BadLineError, decode_line

MAX_CHUNK_LINES = 16_384
"""Maximum number of lines of a chunk: enough for full batches of sources of every length."""

MAX_CHUNK_BYTES = 4 << 20
"""Approximate maximum number of bytes of a chunk: the line that reaches it is the last."""

MAX_LINE_BYTES = 1 << 20
"""Maximum number of bytes of a line."""

PAUSE_SECONDS = 0.01
"""A chunk ends if no input arrives for this time, in seconds."""

BLOCK_BYTES = 1 << 16
"""Maximum number of bytes of one read."""


@dataclass(frozen=True)
class Chunk:
    """One or more consecutive lines.

    Args:
        first: Number of the first line in the input, from 1.
        lines: Text of the lines, without line ends.
    """

    first: int
    lines: list[str]


@dataclass(frozen=True)
class ByteSource:
    """A source of bytes.

    Args:
        read: Waits for input and returns the next bytes; empty at the end.
        ready: Whether more input arrives within `PAUSE_SECONDS`.
    """

    read: Callable[[], bytes]
    ready: Callable[[], bool]


@contextmanager
def open_source(name: str) -> Iterator[ByteSource]:
    """Open an input for the duration of the block.

    Args:
        name: A path, which is decompressed if it ends in `.gz`, or `-` for standard input.

    Raises:
        OSError: The input cannot be opened.
    """
    if name == "-":
        yield _standard_input()
    elif Path(name).suffix == ".gz":
        with gzip.open(name) as packed:
            yield ByteSource(lambda: packed.read1(BLOCK_BYTES), lambda: True)
    else:
        with open(name, "rb", buffering=0) as file:
            yield _waiting(file)


def _standard_input() -> ByteSource:
    stream: IO[bytes] = getattr(sys.stdin, "buffer", None) or io.BytesIO(sys.stdin.read().encode())
    raw = getattr(stream, "raw", stream)
    try:
        raw.fileno()
    except OSError:  # a stream object of the caller without a file descriptor
        return ByteSource(lambda: stream.read(BLOCK_BYTES), lambda: True)
    return _waiting(raw)


def _waiting(file: IO[bytes]) -> ByteSource:
    """Return a source over an unbuffered file, which may be a pipe or a terminal."""

    def ready(seconds: float | None = PAUSE_SECONDS) -> bool:
        return bool(select.select([file], [], [], seconds)[0])

    def read() -> bytes:
        while (block := file.read(BLOCK_BYTES)) is None:  # the file was set to non-blocking mode
            ready(None)
        return block

    return ByteSource(read, ready)


def read_chunks(source: ByteSource, name: str) -> Iterator[Chunk]:
    """Yield the lines of an input in chunks; the lines before an invalid one are yielded before its error.

    Args:
        source: Source of the bytes.
        name: Name of the input, for errors.

    Raises:
        InputError: The input cannot be read, or a line is not UTF-8 text or is longer than `MAX_LINE_BYTES`.
    """
    first, size, lines, error = 1, 0, list[str](), None
    for line in _split(source, name):
        if line is not None and not isinstance(line, InputError):
            try:
                lines.append(decode_line(line))
            except BadLineError as bad:
                error = InputError(f"{name}:{first + len(lines)}: {bad}")
                break
            size += len(line)
        elif line is not None:
            error = line
            break
        if lines and (line is None or len(lines) >= MAX_CHUNK_LINES or size >= MAX_CHUNK_BYTES):
            yield Chunk(first, lines)
            first, size, lines = first + len(lines), 0, []
    if lines:
        yield Chunk(first, lines)
    if error is not None:
        raise error


def _split(source: ByteSource, name: str) -> Iterator[bytes | InputError | None]:
    """Yield each line, None when no more input is available, and last the error if reading fails."""
    rest, number, at_start = b"", 1, True
    while True:
        try:
            block = source.read()
        except (EOFError, OSError, zlib.error) as error:
            yield InputError(f"{name}:{number}: the input cannot be read from here on ({error})")
            return
        data = rest + block
        if at_start and (len(data) >= len(codecs.BOM_UTF8) or b"\n" in data):
            data, at_start = data.removeprefix(codecs.BOM_UTF8), False
        *lines, rest = data.split(b"\n")
        if not block and rest:
            lines.append(rest)
        for line in lines:
            if len(line) > MAX_LINE_BYTES:
                break
            yield line.removesuffix(b"\r")
            number += 1
        else:
            if len(rest) <= MAX_LINE_BYTES and block:
                if not source.ready():
                    yield None
                continue
            if not block:
                return
        yield InputError(
            f"{name}:{number}: the line is longer than {MAX_LINE_BYTES:,} bytes; split it into several"
        )
        return
