"""Copy a job directory to another output directory, or move it to `superseded/`; never delete one."""

from __future__ import annotations

import itertools
import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

from job.storage.artifacts import JobPaths, OutputPaths, refuse_links
from job.storage.documents import read_json
from job.storage.file_names import short_fingerprint
from job.storage.links import check_copyable
from job.storage.moving import TEMPORARY, clear_leftovers, flush, flush_tree, move_directory, temporary_path


def clear_job_leftovers(output: OutputPaths, name: str) -> None:
    """Remove partial copies of a job directory that killed processes left in `jobs/` and `superseded/`."""
    for folder in (output.jobs, output.superseded):
        clear_leftovers(folder, name)


def adopt(source: OutputPaths, output: OutputPaths, name: str) -> None:
    """Copy a job directory from another output directory, completely or not at all.

    An existing job directory of that name is set aside.

    Args:
        source, output: output directories to copy from and to; `output.jobs` must exist.
        name: name of the job.

    Raises:
        OSError: a file cannot be read or written.
        OutputError: the directory contains a symbolic link, a pipe or a device.
    """
    check_copyable(source.job(name).directory)
    refuse_links(output, [name])
    clear_job_leftovers(output, name)
    temporary = temporary_path(output.jobs / name)

    passing = {path.name for path in source.job(name).passing}

    def left_out(_: str, names: list[str]) -> set[str]:
        return {n for n in names if n.startswith(TEMPORARY) or n in passing}

    try:
        shutil.copytree(source.job(name).directory, temporary, ignore=left_out)
        flush_tree(temporary)
        if output.job(name).directory.exists():
            set_aside(output, name)
        os.replace(temporary, output.job(name).directory)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    flush(output.jobs)


def set_aside(output: OutputPaths, name: str) -> Path:
    """Move a job directory to `superseded/<name>-<short fingerprint>[-N]`; delete and overwrite nothing.

    `superseded/` may be on another file system. Without a readable result the fingerprint is `unfinished`.

    Returns:
        the new path.

    Raises:
        OSError: the directory does not exist or cannot be moved.
    """
    job = output.job(name)
    if not job.directory.is_dir():
        raise NotADirectoryError(f"{job.directory} is not a directory")
    refuse_links(output, [name])
    target = superseded_place(output, name)
    try:
        move_directory(job.directory, target, name)
    except OSError:
        with suppress(OSError):  # fails if the copy is complete
            target.rmdir()
        raise
    return target


def superseded_place(output: OutputPaths, name: str) -> Path:
    """Create an empty directory in `superseded/`, named after a job and its recorded fingerprint.

    Raises:
        OSError: the directory cannot be created.
    """
    stem = f"{name}-{_recorded_fingerprint(output.job(name))}"
    output.superseded.mkdir(exist_ok=True)
    for number in itertools.count(1):
        target = output.superseded / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FileExistsError):
            target.mkdir()  # reserves the name; a rename may replace an empty directory
            break
    return target


def _recorded_fingerprint(job: JobPaths) -> str:
    # Results of any schema version are moved, so only this one key is asked for.
    try:
        fingerprint = read_json(job.result)["fingerprint"]
        return short_fingerprint(fingerprint) if re.fullmatch("[0-9a-f]{8,64}", fingerprint) else "unfinished"
    except (OSError, ValueError, LookupError, TypeError):
        return "unfinished"
