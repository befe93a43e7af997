"""Paths and checksums of the data files of a spec, and the data that a batch was planned with."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from job.errors import ChangedDataError, DataError, StoreError
from job.storage.cached_files import cached_file
from job.storage.file_names import short_fingerprint
from job.storage.store_address import is_store

PACKAGE_PREFIX = "package:"

Checksums = Mapping[str, str]
"""Name of a data file, as written in the spec -> SHA-256 of its bytes, in hex."""

_SETTLED_SECONDS = 2.0
"""Minimum age of a change before a checksum is cached: with the coarse clocks of file systems, a second
change shortly after the first may leave the same time stamps."""


@dataclass(frozen=True)
class PlannedData:
    """The data of a job when its batch was planned, which must be the same when the job is trained.

    Args:
        files: the checksums of its data files.
        plugin: the identity of a plugin problem's package, see `entry_points.identity`; else empty.
        model: the same of the package of a plugin's model.
        start: what identifies the model that training starts from: the training fingerprint of a job of the
            spec, or `start_models.start_checksum`; empty if there is none.
    """

    files: Checksums = field(default_factory=dict)
    plugin: Mapping[str, str] = field(default_factory=dict)
    start: str = ""
    model: Mapping[str, str] = field(default_factory=dict)


def locate(name: str, directory: Path) -> Path:
    """Return the path of a file named in a spec.

    Args:
        name: a path relative to `directory`, an absolute path, `package:NAME/PATH`, or the URL of an object
            in a store, which is downloaded if the cache does not have it.
        directory: the spec directory.

    Raises:
        DataError: the package is not installed, or the object cannot be read.
    """
    if is_store(name):
        try:
            return cached_file(name)
        except StoreError as error:
            raise DataError(str(error)) from error
    if not name.startswith(PACKAGE_PREFIX):
        return directory / name
    package, _, inside = name.removeprefix(PACKAGE_PREFIX).partition("/")
    found = importlib.util.find_spec(package) if package.isidentifier() else None
    if found is None or not found.submodule_search_locations or not inside:
        raise DataError(
            f"{name!r} cannot be found: expected package:NAME/PATH with NAME an installed package; "
            f'install it (the data sets of the examples: pip install "seq2seq-job[data]")'
        )
    return Path(next(iter(found.submodule_search_locations))) / inside


_known: dict[tuple[str | int, ...], str] = {}


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hex.

    Many jobs share a file. It is read once as long as its size and its time stamps stay the same, including
    the change time (ctime), which programs cannot set.

    Raises:
        OSError: the file cannot be opened or read.
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
