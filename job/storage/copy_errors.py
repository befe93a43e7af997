"""The error of a copy from a store that cannot be written, on a full disk for example."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from job.errors import StoreError
from job.storage.documents import why
from job.storage.local_paths import masked


@contextmanager
def copying(url: str, place: str | Path, variable: str) -> Iterator[None]:
    """Raise `StoreError` for an `OSError` in the block.

    Args:
        url: what is copied.
        place: the directory to which it is copied.
        variable: the environment variable that names another directory.
    """
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{masked(url)} cannot be copied to {place} ({why(error)}); free some space, or choose another "
            f"directory with {variable}"
        ) from error
