"""The problems that other installed packages offer: which there are, and what they are made of."""

from __future__ import annotations

import hashlib
import importlib.util
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

from job.errors import DataError
from job.spec.complaints import nearest
from job.spec.file_locations import checksum

GROUP = "seq2seq_job.problems"
"""The group of entry points (see the packaging guide's "Entry points specification")."""


def find(name: str) -> EntryPoint:
    """Return the entry point of a problem; loads nothing.

    Raises:
        DataError: no installed package offers it, or several do.
    """
    offered = metadata.entry_points(group=GROUP)
    found = [entry for entry in offered if entry.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        owners = ", ".join(sorted(owner(entry) for entry in found))
        raise DataError(f"problem {name!r} is offered by {owners}; uninstall all of them but one", key="name")
    names = sorted(offered.names)
    known = f"installed are: {', '.join(names)}" if names else "none is installed"
    raise DataError(
        f"no installed package offers a problem {name!r}{nearest(name, names)}; {known}; install the package "
        f"whose entry points of the group {GROUP} have it",
        key="name",
    )


def owner(entry: EntryPoint) -> str:
    """Return the distribution that an entry point belongs to, with its version."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def identity(name: str) -> dict[str, str]:
    """Return what decides the examples of a problem, its options apart, for a fingerprint.

    That is its distribution and version, and the SHA-256 of the Python files of the package that it is in: a
    package that is being worked on keeps its version. What else it uses is not looked at.

    Raises:
        DataError: see `find`.
        OSError: a file cannot be read.
    """
    entry = find(name)
    digest = hashlib.sha256()
    for path in _python_files(entry.module.partition(".")[0]):
        digest.update(checksum(path).encode())
    return {"distribution": owner(entry), "sha256": digest.hexdigest()}


def _python_files(module: str) -> list[Path]:
    spec = importlib.util.find_spec(module)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [
            path for folder in spec.submodule_search_locations for path in sorted(Path(folder).rglob("*.py"))
        ]
    return [Path(spec.origin)] if spec.has_location and spec.origin else []
