"""Where a file that a spec names lies, and its checksum."""

from __future__ import annotations

import hashlib
import importlib.util
from functools import cache
from pathlib import Path

from job.errors import DataError

PACKAGE_PREFIX = "package:"


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


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file, in hex; raises `OSError` as `open` does.

    Many jobs share a file: one that has not changed is not read again.
    """
    facts = path.stat()
    return _checksum(path, facts.st_size, facts.st_mtime_ns)


@cache
def _checksum(path: Path, size: int, changed_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
