"""Decoding that several processes share by the files of a directory: each takes the next part that none has.

A process that is lost loses its lock on the part that it was decoding, and another one decodes it. One that
hangs keeps its lock, but the others do not wait for it without end. To decode a part twice does no harm: its
rows are the same. Parts that a killed batch has left need not be decoded again.
"""

from __future__ import annotations

import errno
import fcntl
import io
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from job.evaluation.timed_decoding import Part, Rows, Spread
from job.running.cluster_spread import SLOWER
from job.storage.artifacts import write_bytes
from job.training.waiting import WAIT_SECONDS

LOOK_SECONDS = 0.25
"""Seconds between two looks at the parts of other processes."""


@dataclass
class SharedParts(Spread):
    """Decoding by all processes that use the same directory; see `Spread`. Each of them gets all rows.

    Args:
        folder: the directory, for these parts by these models alone: `N.npz` has the rows of part N.
        wait_seconds: time without a new part, besides `SLOWER` times that of this process's slowest part,
            after which a process decodes a part that another one has taken.
        seconds: time of decoding all parts, summed over the processes.
    """

    folder: Path
    wait_seconds: float = WAIT_SECONDS
    seconds: float = 0.0
    _longest: float = 0.0

    def rounds(self, parts: Sequence[Part], decode: Callable[[Part], Rows]) -> Iterator[list[Rows]]:
        """Decode the parts that no other process does, and yield the rows of each part, in every process.

        Raises:
            OSError: the directory cannot be read or written to, or was removed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        found: dict[int, Rows] = {}
        changed_at = time.monotonic()
        while left := [number for number in range(len(parts)) if number not in found]:
            overdue = time.monotonic() - changed_at > self.wait_seconds + SLOWER * self._longest
            for number in left:
                rows = self._rows(number, parts[number], decode, even_if_taken=overdue)
                if rows is not None:
                    found[number] = rows
                    changed_at, overdue = time.monotonic(), False
            if len(found) + len(left) == len(parts):  # nothing was new
                time.sleep(LOOK_SECONDS)
        for number in range(len(parts)):
            yield [found[number]]

    def _rows(
        self, number: int, part: Part, decode: Callable[[Part], Rows], *, even_if_taken: bool
    ) -> Rows | None:
        """Return the rows of a part, decoded if need be; None while another process decodes it."""
        rows = self._read(number, part)
        if rows is not None:
            return cast(Rows, rows)
        with self._taking(number) as taken:
            if not taken and not even_if_taken:
                return None
            rows = self._read(number, part)  # it may have been written meanwhile
            return cast(Rows, rows) if rows is not None else self._decoded(number, part, decode)

    def _decoded(self, number: int, part: Part, decode: Callable[[Part], Rows]) -> Rows:
        began = time.perf_counter()
        rows = decode(part)
        seconds = time.perf_counter() - began
        self._longest = max(self._longest, seconds)
        self.seconds += seconds
        file = io.BytesIO()
        np.savez(file, rows=rows, seconds=np.float64(seconds))
        write_bytes(self._file(number), file.getvalue())
        return rows

    def _read(self, number: int, part: Part) -> object:
        """Return the rows of a part that any process has decoded; None if there are none."""
        try:
            file = io.BytesIO(self._file(number).read_bytes())
            with np.load(file, allow_pickle=False) as read:
                rows, seconds = read["rows"], float(read["seconds"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None
        if len(rows) != len(part):
            return None
        self.seconds += seconds
        return rows

    @contextmanager
    def _taking(self, number: int) -> Iterator[bool]:
        """Take a part for the block; yield False if another process has it.

        On a file system that does not support locks every process gets every part that is not decoded yet.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self.folder / f"{number}.lock", flags, 0o666)
        try:
            yield _locks(descriptor)
        finally:
            os.close(descriptor)

    def _file(self, number: int) -> Path:
        return self.folder / f"{number}.npz"


def _locks(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True
