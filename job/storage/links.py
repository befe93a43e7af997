"""Symbolic links, pipes and devices in an output directory: nothing is written through or copied from them.

The output directory itself may be a symbolic link of the user. Inside it, a link in place of a file is
replaced (files are renamed into place), and a link in place of a directory is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import IO

from job.errors import OutputError

_REMEDY = "replace it with the file or directory that it leads to, or remove it"


def refuse_link(path: Path) -> None:
    """Raise `OutputError` if a path is a symbolic link, which may lead anywhere."""
    if os.path.islink(path):
        raise OutputError(f"{path} is a symbolic link, which is not followed; {_REMEDY}")


def refuse_linked_folders(directory: Path, names: tuple[str, ...]) -> None:
    """Refuse symbolic links in place of a directory or of its subdirectories `names`.

    Raises:
        OutputError: one of them is a symbolic link.
    """
    refuse_link(directory)
    for name in names:
        refuse_link(directory / name)


def check_copyable(directory: Path) -> None:
    """Check that a tree contains only directories and regular files.

    Raises:
        OutputError: it contains something else; the message names it.
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
    """Remove a link, pipe or device from the path of a file that will be opened for writing.

    Raises:
        OutputError: the path is a directory.
        OSError: it cannot be removed.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if stat.S_ISDIR(mode):
        raise OutputError(f"{path} is a directory, but a file must be written there; move it away")
    if not stat.S_ISREG(mode):
        path.unlink()


def open_to_append(path: Path) -> IO[str]:
    """Open a text file for appending; raises `OSError` for a symbolic link or a pipe."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open(os.open(path, flags, 0o644), "a", encoding="utf-8", errors="replace")
