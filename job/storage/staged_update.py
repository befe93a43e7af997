"""Replace several files of an output directory together: readers find all old files or all new files.

The new files are written to a temporary directory. Renaming it to `STAGED` makes the new files current in one
step, because readers look there first. They are then moved to their places one by one. If a process is killed
meanwhile, the next process that may write to the output directory completes the update.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from job.storage.artifacts import OutputPaths
from job.storage.documents import read_regular
from job.storage.job_directories import set_aside
from job.storage.links import refuse_link
from job.storage.moving import clear_leftovers, flush, flush_tree, move_directory, temporary_path

STAGED = ".update"
"""The subdirectory for new files that are not in their places yet."""


def staged(output: OutputPaths) -> OutputPaths:
    """Return the paths of new files that are not in their places yet."""
    return OutputPaths(output.root / STAGED, output.shard)


def read_current(output: OutputPaths, path: Path) -> bytes:
    """Return the current content of a file of an output directory, also during an update.

    Raises:
        OSError: see `read_regular`.
    """
    try:
        return read_regular(staged(output).root / path.relative_to(output.root))
    except (FileNotFoundError, NotADirectoryError):
        return read_regular(path)


def places_of_job(output: OutputPaths, name: str) -> Iterator[Path]:
    """Yield the directories that may contain files of a job, the current one first.

    A reader of a report looks for its files in all of them, because an update may have happened in between.
    """
    yield staged(output).job(name).directory
    yield output.job(name).directory
    yield from sorted(output.superseded.glob(f"{name}-*"))


@contextmanager
def updating(output: OutputPaths) -> Iterator[OutputPaths]:
    """Replace files together: yield paths for the new files, which become current at the end of the block.

    Args:
        output: a prepared output directory that this process has locked.

    Raises:
        OSError: a file cannot be written; nothing has changed.
    """
    complete_update(output)
    clear_leftovers(output.root, STAGED)
    temporary = temporary_path(output.root / STAGED)
    try:
        new = OutputPaths(temporary, output.shard)
        new.jobs.mkdir(parents=True)
        yield new
        flush_tree(temporary)
        os.replace(temporary, staged(output).root)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush(output.root)


def complete_update(output: OutputPaths) -> None:
    """Move new files that are not in their places yet to their places, if there are any.

    Existing job directories are set aside. The function can be interrupted at any moment and called again.

    Args:
        output: an output directory that this process has locked.

    Raises:
        OSError: a file cannot be moved; the new file is still the current one.
    """
    new = staged(output)
    refuse_link(new.root)
    if not new.root.is_dir():
        return
    for path in sorted(new.jobs.iterdir()) if new.jobs.is_dir() else ():
        name = path.name
        if output.job(name).directory.exists():
            set_aside(output, name)
        output.jobs.mkdir(exist_ok=True)
        move_directory(path, output.job(name).directory, name)
    for path in (
        new.plan,
        *new.report_files,
    ):  # report.json last: programs that do not know about updates rely on it
        if path.is_file():
            os.replace(path, output.root / path.name)
    flush(output.root)
    leaving = temporary_path(new.root)
    os.replace(new.root, leaving)
    shutil.rmtree(leaving, ignore_errors=True)
