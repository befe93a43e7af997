"""The place of a store's arrays and texts: in memory, or files in a directory."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from job.problems.pair_spool import PairSpool

_MEMORY_BYTES = 32 << 20
"""Largest size of a text that is kept in memory and not in a temporary file."""


class Storage(Protocol):
    """The place of a store's arrays and texts."""

    def spool(self, name: str) -> PairSpool:
        """Return a new spool of pairs."""

    def open(self, name: str) -> IO[bytes]:
        """Open a new array for writing."""

    def array(self, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return what was written as a flat array, for reading; `file` is not used any more."""


class MemoryStorage:
    """Arrays in memory; texts too, or in temporary files if they are large."""

    def spool(self, name: str) -> PairSpool:  # noqa: D102
        return PairSpool(tempfile.SpooledTemporaryFile(_MEMORY_BYTES))

    def open(self, name: str) -> IO[bytes]:  # noqa: D102
        return io.BytesIO()

    def array(self, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:  # noqa: D102
        assert isinstance(file, io.BytesIO)
        return np.frombuffer(file.getbuffer(), dtype)


@dataclass(frozen=True)
class DirectoryStorage:
    """Files in a directory; arrays are memory-mapped.

    Args:
        directory: exists.
    """

    directory: Path

    def spool(self, name: str) -> PairSpool:  # noqa: D102
        return PairSpool((self.directory / f"{name}.txt").open("w+b"))

    def open(self, name: str) -> IO[bytes]:  # noqa: D102
        return (self.directory / f"{name}.bin").open("w+b")

    def array(self, file: IO[bytes], dtype: np.dtype[Any]) -> NDArray[Any]:  # noqa: D102
        file.close()
        return mapped(Path(file.name), dtype)


def mapped(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a file of numbers as a flat array, memory-mapped for reading."""
    if not path.stat().st_size:  # which cannot be mapped
        return np.empty(0, dtype)
    return np.memmap(path, dtype, mode="r")
