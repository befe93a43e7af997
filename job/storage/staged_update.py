"""Several files of an output directory replaced together: readers find all the old ones or all the new ones.

The new files are written into a directory beside. Renaming that to `STAGED` makes them the ones that count,
in one step: readers look there first. Only then are they moved to their places, one by one; whoever next has
the directory to write in ends what a killed process left undone.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from job.storage.artifacts import OutputPaths, set_aside
from job.storage.documents import read_regular
from job.storage.links import refuse_link
from job.storage.moving import clear_leftovers, flush, flush_tree, move_directory, temporary_path

STAGED = ".update"
"""The directory in an output directory that holds files which are not in their places yet."""


def staged(output: OutputPaths) -> OutputPaths:
    """Return the paths of files that are not in their places yet."""
    return OutputPaths(output.root / STAGED, output.shard)


def read_current(output: OutputPaths, path: Path) -> bytes:
    """Return the content of a file of an output directory, in the middle of an update too.

    Raises:
        OSError: see `read_regular`.
    """
    try:
        return read_regular(staged(output).root / path.relative_to(output.root))
    except (FileNotFoundError, NotADirectoryError):
        return read_regular(path)


def places_of_job(output: OutputPaths, name: str) -> Iterator[Path]:
    """Yield the directories in which files of a job may lie: where they count, then where older ones do.

    A reader who has read a report looks for its files in all of them, for an update may have come in between.
    """
    yield staged(output).job(name).directory
    yield output.job(name).directory
    yield from sorted(output.superseded.glob(f"{name}-*"))


@contextmanager
def updating(output: OutputPaths) -> Iterator[OutputPaths]:
    """Replace files together: give paths to write new files to; at the end of the block they count.

    Args:
        output: prepared, and held by a lock.

    Raises:
        OSError: a file cannot be written; all is as it was.
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
    """Move files that are not in their places yet to where they belong, if there are any.

    What was there of a job is set aside. It may be stopped at any moment, and called again.

    Args:
        output: held by a lock.

    Raises:
        OSError: a file cannot be moved; it still counts.
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
    for path in (new.plan, *new.report_files):  # report.json last: programs that know no updates go by it
        if path.is_file():
            os.replace(path, output.root / path.name)
    flush(output.root)
    leaving = temporary_path(new.root)
    os.replace(new.root, leaving)
    shutil.rmtree(leaving, ignore_errors=True)
