"""Make standard streams safe: a stream that is closed, full or without a reader does not end a batch.

What a batch prints does not affect its results, so errors of writing are only recorded. A command whose
output is its result checks for them with `output_error`.
"""

from __future__ import annotations

import io
import os
import select
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_NAMES = {1: "stdout", 2: "stderr"}

_closed: set[int] = set()
"""File descriptors that were closed when the process started."""


class _LossyFile(io.FileIO):
    """A file that discards what cannot be written, and records the first error in `error`.

    Args:
        descriptor: File descriptor, which stays open when the file is closed.
        name: Name for error messages.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.name = name
        self.error: OSError | None = None

    def write(self, data: Buffer) -> int:
        """Write all bytes, or record the first error; return the number of all bytes in either case."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                written = super().write(rest)
                if written is None:  # the file is non-blocking and its reader is slow: wait
                    select.select([], [self], [])
                else:
                    rest = rest[written:]
        except OSError as error:
            self.error = self.error or error
        return size


def secure_streams() -> None:
    """Open closed standard streams as the null device, and discard what later cannot be written.

    If a descriptor stayed closed, the next opened file would get it and receive the output. Streams that
    the caller has replaced are left unchanged.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _closed.add(descriptor)
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest free descriptor
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the rest of the process
    for descriptor, name in _NAMES.items():
        stream: TextIO | None = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _lossy(descriptor, name, stream))


def _lossy(descriptor: int, name: str, stream: TextIO | None) -> TextIO:
    """Return a stream like `stream` that discards what cannot be written."""
    file = _LossyFile(descriptor, f"<{name}>")
    if not isinstance(stream, io.TextIOWrapper):
        return io.TextIOWrapper(io.BufferedWriter(file), encoding="utf-8", errors="backslashreplace")
    stream.flush()
    return io.TextIOWrapper(
        file if stream.write_through else io.BufferedWriter(file),
        encoding=stream.encoding,
        errors=stream.errors,
        newline="\n",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def was_closed(descriptor: int) -> bool:
    """Return whether a standard stream was closed when the process started."""
    return descriptor in _closed


def output_error() -> OSError | None:
    """Return the first error of writing to standard output; None if everything flushed so far was written."""
    buffer = getattr(sys.stdout, "buffer", None)
    return getattr(getattr(buffer, "raw", buffer), "error", None)
