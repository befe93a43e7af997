"""Copies of job directories that share files with the original, and replacing a job directory by a new one.

Files in a job directory are replaced by renaming and never changed in place, except for the log. So a copy
can consist of hard links, which need no disk space and no time, even for large models.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.job_directories import clear_job_leftovers, set_aside, superseded_place
from job.storage.links import check_copyable
from job.storage.moving import TEMPORARY, flush, flush_tree, move_directory, temporary_path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2  # renameat2(2)


def copy_job(source: Path, output: OutputPaths, name: str, left_out: Callable[[str], bool]) -> JobPaths:
    """Copy a job directory to a temporary one in `jobs/`, see `put_in_place`.

    Args:
        source: the job directory.
        output: the output directory; `output.jobs` must exist.
        name: name of the job that the copy is for.
        left_out: whether a file or directory, by its path relative to the job directory, is left out.

    Returns:
        the paths of the copy. A later `clear_job_leftovers` removes it if the process is killed.

    Raises:
        OSError: a file cannot be read or written, or the directory has gone.
        OutputError: the directory contains a symbolic link, a pipe or a device.
    """
    clear_job_leftovers(output, name)
    check_copyable(source)
    return JobPaths(_copy(source, temporary_path(output.jobs / name), left_out))


def _copy(source: Path, target: Path, left_out: Callable[[str], bool]) -> Path:
    log = JobPaths(source).log

    def ignored(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(source)
        return {n for n in names if n.startswith(TEMPORARY) or left_out((inside / n).as_posix())}

    def link(file: str, copied: str) -> None:
        if Path(file) == log:  # which is appended to
            shutil.copy2(file, copied)
            return
        try:
            os.link(file, copied)
        except OSError:  # another file system, or one without hard links
            shutil.copy2(file, copied)

    try:
        shutil.copytree(source, target, symlinks=True, ignore=ignored, copy_function=link)
    except shutil.Error as error:  # lists the files that could not be copied
        shutil.rmtree(target, ignore_errors=True)
        gone = next((place for place, _, _ in error.args[0] if not os.path.exists(place)), None)
        if gone is not None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(gone)) from error
        raise OSError(errno.EIO, str(error.args[0][0][2]), str(source)) from error
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return target


def put_in_place(new: JobPaths, output: OutputPaths, name: str) -> Path | None:
    """Replace a job directory with a complete temporary one; the old directory is set aside.

    If the process is killed, the job directory is the old one or the new one. Where the file system cannot
    exchange two directories in one step, there is no job directory for a moment, and the old one is in
    `superseded/`.

    Args:
        new: the directory, see `copy_job`.
        output: the output directory.
        name: of the job.

    Returns:
        path of the old directory in `superseded/`; None if there was none.

    Raises:
        OSError: the directories cannot be moved; the old one is unchanged or in `superseded/`.
    """
    current = output.job(name).directory
    flush_tree(new.directory)
    aside = None
    with suppress(OSError):
        current.rmdir()  # unless there is anything to set aside
    if not current.is_dir():
        os.replace(new.directory, current)
    elif _can_exchange(current):
        aside = superseded_place(output, name)
        try:
            copy = _copy(current, temporary_path(aside.parent / name), lambda path: False)
            flush_tree(copy)
            os.replace(copy, aside)
        except BaseException:
            with suppress(OSError):
                aside.rmdir()  # only reserved
            raise
        flush(aside.parent)
        _exchange(new.directory, current)
        shutil.rmtree(new.directory, ignore_errors=True)
    else:
        aside = set_aside(output, name)
        os.replace(new.directory, current)
    flush(output.jobs)
    return aside


def take_back(place: Path, output: OutputPaths, name: str) -> Path | None:
    """Move a directory from `superseded/` back to `jobs/`; the job's current directory is set aside.

    Both are in `superseded/` for a moment; if the process is killed then, the next run finds them there.

    Args:
        place: the directory in `superseded/`.
        output: the output directory.
        name: of the job.

    Returns:
        path of the other directory in `superseded/`; None if there was none.

    Raises:
        OSError: a directory cannot be moved.
    """
    clear_job_leftovers(output, name)
    current = output.job(name).directory
    aside = set_aside(output, name) if current.is_dir() else None
    move_directory(place, current, name)
    return aside


def _can_exchange(directory: Path) -> bool:
    """Return whether a directory can be exchanged with one beside it, by trying it with two empty ones."""
    pair = [temporary_path(directory), temporary_path(directory)]
    try:
        for path in pair:
            path.mkdir()
        _exchange(*pair)
    except OSError:
        return False
    finally:
        for path in pair:
            with suppress(OSError):
                path.rmdir()
    return True


def _exchange(one: Path, other: Path) -> None:
    """Exchange two directories in one step; raises `OSError` where the system or file system cannot."""
    rename = (
        getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    )
    if rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))
