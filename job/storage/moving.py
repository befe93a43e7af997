"""Move directories as a whole, also between file systems, without losing files if the process stops."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".tmp-"
"""Prefix of the names of files and directories that are incomplete or about to be removed."""

_OTHER_FILE_SYSTEM = (errno.EXDEV, errno.EBUSY)  # EBUSY: the directory itself is a mount point


def temporary_path(path: Path) -> Path:
    """Return a new temporary path in the same directory, with the same suffix."""
    return path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")


def flush(path: Path) -> None:
    """Sync a file, or the entries of a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(directory: Path) -> None:
    """Sync a directory and everything in it to disk."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            flush(path)


def move_directory(source: Path, target: Path, name: str) -> None:
    """Move a directory.

    Within a file system this is one rename. To another file system the directory is copied to a temporary
    name, synced, renamed, and only then removed from its old place.

    Args:
        source: the directory.
        target: its new path; must not exist, or be an empty directory.
        name: suffix of temporary names, see `clear_leftovers`.

    Raises:
        OSError: it cannot be moved; `source` is unchanged, or already copied completely to `target`.
    """
    try:
        os.replace(source, target)
    except OSError as error:
        if error.errno not in _OTHER_FILE_SYSTEM:
            raise
        _copy(source, target, name)
        _remove(source, name)
    flush(target.parent)
    flush(source.parent)


@contextmanager
def filled_directory(target: Path, name: str) -> Iterator[Path]:
    """Yield the temporary path of a directory to make, and put it in its place, synced to disk, afterwards.

    If the block or the move fails, what it has made is removed.

    Args:
        target: see `move_directory`.
        name: suffix of the temporary name, see `clear_leftovers`.
    """
    temporary = temporary_path(target.parent / name)
    try:
        yield temporary
        flush_tree(temporary)
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush(target.parent)


def _copy(source: Path, target: Path, name: str) -> None:
    with filled_directory(target, name) as temporary:
        shutil.copytree(source, temporary, symlinks=True)


def _remove(directory: Path, name: str) -> None:
    """Remove a directory that was copied; a rename makes it disappear at once."""
    leaving = temporary_path(directory.parent / name)
    try:
        os.replace(directory, leaving)
    except OSError as error:
        if error.errno not in _OTHER_FILE_SYSTEM:
            raise
        for path in sorted(directory.iterdir(), key=lambda path: path.name != "result.json"):
            _delete(path)
    else:
        _delete(leaving)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink()


def replace_directory(new: Path, place: Path) -> None:
    """Put a complete directory in the place of another one of the same file system, synced to disk.

    Args:
        new: the directory.
        place: its new path, which may be taken.

    Raises:
        OSError: it cannot be moved.
    """
    flush_tree(new)
    if place.exists():
        leaving = temporary_path(place)
        os.replace(place, leaving)
        os.replace(new, place)
        _delete(leaving)
    else:
        os.replace(new, place)
    flush(place.parent)


def clear_leftovers(folder: Path, name: str) -> None:
    """Remove partial copies of `name` that killed processes left; no other process may be moving it."""
    for path in folder.glob(f"{TEMPORARY}*-{name}"):
        if re.fullmatch("[0-9a-f]{8}", path.name.removeprefix(TEMPORARY).removesuffix(f"-{name}")):
            _delete(path)
