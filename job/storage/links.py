"""Symbolic links, pipes and devices in an output directory: nothing is written through one or copied over it.

The output directory itself may be a link that the user made. Inside it, a link in the place of a file that is
written is replaced, for files are renamed into their places; one in the place of a directory is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from job.errors import OutputError

_REMEDY = "put what it leads to in its place, or remove it"


def refuse_link(path: Path) -> None:
    """Raise `OutputError` where a directory of ours is a symbolic link, which may lead anywhere."""
    if os.path.islink(path):
        raise OutputError(f"{path} is a symbolic link, which is not followed; {_REMEDY}")


def refuse_linked_folders(directory: Path, names: tuple[str, ...]) -> None:
    """Refuse a directory that is a symbolic link, and links in it in the places of those directories.

    Raises:
        OutputError: it is one, or has one.
    """
    refuse_link(directory)
    for name in names:
        refuse_link(directory / name)


def check_copyable(directory: Path) -> None:
    """Check that a tree has only directories and regular files, which is what can be copied as it is.

    Raises:
        OutputError: something else is in it; names it.
    """
    refuse_link(directory)
    for folder, folders, files in os.walk(directory):
        for name in (*folders, *files):
            path = Path(folder, name)
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                refuse_link(path)
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise OutputError(f"{path} is a pipe or a device, which is not copied; remove it")


def clear_way(path: Path) -> None:
    """Remove what is in the place of a file that will be opened to write, unless it is a regular file.

    Raises:
        OutputError: it is a directory.
        OSError: it cannot be removed.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path} is a directory, where a file is to be written; move it away")
    if not stat.S_ISREG(mode):
        path.unlink()


def open_to_append(path: Path) -> IO[str]:
    """Open a text file to append to it, if it is no symbolic link and no pipe; raises `OSError`."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open(os.open(path, flags, 0o644), "a", encoding="utf-8", errors="replace")
