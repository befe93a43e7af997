"""Which files of an output directory a store holds a copy of, by unit."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.manifests import FOLDERS, TOP_FILES, check_unit
from job.storage.moving import TEMPORARY

_LAST = "result.json"
_PLANS = ("plan.json", "shards.json")


@dataclass(frozen=True)
class LocalFile:
    """A file of an output directory, and what shows that it was replaced or changed.

    Args:
        path: the file.
        state: its inode, size and modification time.
    """

    path: Path
    state: tuple[int, int, int]


Unit = Mapping[str, LocalFile]
"""The files of a unit, by path in it, `result.json` last."""


def local_units(output: OutputPaths) -> dict[str, Unit]:
    """Return the units of an output directory that have files, in the order in which they are uploaded.

    Left out: links, temporary files, locks, caches, and the files that exist only while a job runs. Earlier
    job directories come first, so that a store has a job's earlier results at any moment; the reports come
    last.
    """
    units: dict[str, Unit] = {}
    for folder in FOLDERS:
        for name in _directories(output.root / folder):
            files = dict(
                sorted(_files(output.root / folder / name), key=lambda item: (item[0] == _LAST, item[0]))
            )
            if files:
                units[f"{folder}/{name}"] = files
    tops = dict(_top_files(output.root))
    for name in sorted(tops, key=_top_order):
        units[name] = {name: tops[name]}
    return units


def _top_order(name: str) -> tuple[bool, bool, str]:
    """Return a sort key: the plan comes first, `report.json` last."""
    return name not in _PLANS, name.startswith("report") and name.endswith(".json"), name


def _directories(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(name for name in names if _is_unit(f"{folder.name}/{name}"))


def _is_unit(name: str) -> bool:
    try:
        check_unit(name)
    except ValueError:
        return False
    return True


def _files(directory: Path) -> Iterator[tuple[str, LocalFile]]:
    passing = {path.name for path in JobPaths(directory).passing}
    for folder, folders, names in os.walk(directory):
        folders[:] = [name for name in folders if not name.startswith(TEMPORARY)]
        for name in names:
            path = Path(folder, name)
            if name.startswith(TEMPORARY) or (name in passing and path.parent == directory):
                continue
            if (file := _regular(path)) is not None:
                yield path.relative_to(directory).as_posix(), file


def _top_files(root: Path) -> Iterator[tuple[str, LocalFile]]:
    for name in os.listdir(root):
        if TOP_FILES.fullmatch(name) and (file := _regular(root / name)) is not None:
            yield name, file


def _regular(path: Path) -> LocalFile | None:
    """Return a regular file; None for anything else, and for a file that has gone meanwhile."""
    try:
        facts = path.lstat()
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    return LocalFile(path, (facts.st_ino, facts.st_size, facts.st_mtime_ns))
