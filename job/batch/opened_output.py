"""Open an output directory for writing: prepared, locked, and without an unfinished update."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from job.batch.lock import EXCLUSIVE, lock_output, refuse_beside
from job.storage.artifacts import OutputPaths, prepare_output
from job.storage.staged_update import complete_update


@contextmanager
def opened_output(directory: Path, lock: str = EXCLUSIVE, refused: str = "") -> Iterator[OutputPaths]:
    """Lock an output directory for the block, and yield its paths.

    Args:
        directory: created if it is missing.
        lock: name of the lock, see `lock_output`.
        refused: start of the names of locks that no other process may hold, such as `shard-`; '' for none.

    Raises:
        OutputError: it cannot be created or written to, or another process has locked it.
        OSError: an interrupted update cannot be completed.
    """
    output = prepare_output(directory)
    with lock_output(output.root, lock):
        if refused:
            refuse_beside(output.root, refused)
        complete_update(output)
        yield output
