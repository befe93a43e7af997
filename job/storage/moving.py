"""Directories moved as a whole, between file systems too: whenever the process stops, nothing is lost."""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
from pathlib import Path

TEMPORARY = ".tmp-"
"""What the names of files and directories begin with that are not whole yet, or about to go."""

_OTHER_FILE_SYSTEM = (errno.EXDEV, errno.EBUSY)  # EBUSY: the directory itself is a mount point


def temporary_path(path: Path) -> Path:
    """Return a new temporary name in the same folder; it ends as `path` does."""
    return path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")


def flush(path: Path) -> None:
    """Have the system write a file, or the entries of a directory, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_tree(directory: Path) -> None:
    """Have the system write a directory with everything in it to the disk."""
    for path in (directory, *directory.rglob("*")):
        if not path.is_symlink():
            flush(path)


def move_directory(source: Path, target: Path, name: str) -> None:
    """Move a directory.

    Within a file system that is one step. To another one it is copied under a temporary name, written to the
    disk, renamed, and only then removed where it was.

    Args:
        source: the directory.
        target: its new place; nothing, or an empty directory.
        name: what temporary names end in, see `clear_leftovers`.

    Raises:
        OSError: it cannot be moved; `source` is as it was, or already copied whole to `target`.
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


def _copy(source: Path, target: Path, name: str) -> None:
    temporary = temporary_path(target.parent / name)
    try:
        shutil.copytree(source, temporary, symlinks=True)
        flush_tree(temporary)
        os.replace(temporary, target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush(target.parent)


def _remove(directory: Path, name: str) -> None:
    """Remove a directory that was copied; in one step it is no longer there under its name."""
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


def clear_leftovers(folder: Path, name: str) -> None:
    """Remove what killed processes left of copies and removals of `name`, which no other process may move."""
    for path in folder.glob(f"{TEMPORARY}*-{name}"):
        if re.fullmatch("[0-9a-f]{8}", path.name.removeprefix(TEMPORARY).removesuffix(f"-{name}")):
            _delete(path)
