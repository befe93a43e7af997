"""Standard input, output and error that may be closed, full, or without a reader: no batch ends for that.

What a batch prints is of no consequence for what it trains and reports. So an error of writing is only noted;
a command whose output is its result asks for it, see `output_error`.
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


class _LossyFile(io.FileIO):
    """A file that takes what cannot be written, too.

    Args:
        descriptor: stays open.
        name: for error messages.
    """

    def __init__(self, descriptor: int, name: str) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self.name = name
        self.error: OSError | None = None

    def write(self, data: Buffer) -> int:
        """Write all bytes, or note the first error; return how many bytes were taken: all of them."""
        rest = memoryview(data).cast("B")
        size = len(rest)
        try:
            while rest:
                written = super().write(rest)
                if written is None:  # a reader asked for no waiting, but nothing is to be lost
                    select.select([], [self], [])
                else:
                    rest = rest[written:]
        except OSError as error:
            self.error = self.error or error
        return size


def secure_streams() -> None:
    """Open what was closed as the null device, and let no error of writing through from now on.

    Otherwise the next file that is opened would get the free descriptor, and be written to. Streams that
    somebody has replaced stay as they are.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            _closed.add(descriptor)
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # it gets the lowest free descriptor
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the rest of the process
    for descriptor, name in _NAMES.items():
        stream: TextIO | None = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _lossy(descriptor, name, stream))


def _lossy(descriptor: int, name: str, stream: TextIO | None) -> TextIO:
    """Return a stream that loses what cannot be written, like `stream` in everything else."""
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
    """Return whether a standard stream was closed as the process started."""
    return descriptor in _closed


def output_error() -> OSError | None:
    """Return why something could not be written to standard output, None if all that left its buffer was."""
    buffer = getattr(sys.stdout, "buffer", None)
    return getattr(getattr(buffer, "raw", buffer), "error", None)
