"""Problems of other installed packages: find them by their entry points, and identify their code."""

from __future__ import annotations

import hashlib
import importlib.util
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

from job.errors import DataError
from job.spec.complaints import did_you_mean
from job.spec.file_locations import checksum

GROUP = "seq2seq_job.problems"
"""The group of entry points (Python Packaging User Guide, "Entry points specification")."""


def find(name: str) -> EntryPoint:
    """Return the entry point of a problem without loading it.

    Raises:
        DataError: no installed package, or more than one, offers it.
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
        f"no installed package offers a problem {name!r}{did_you_mean(name, names)}; {known}; install the "
        f"package that has it among its entry points (group {GROUP})",
        key="name",
    )


def owner(entry: EntryPoint) -> str:
    """Return the name and version of the distribution that has an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def identity(name: str) -> dict[str, str]:
    """Return the facts about a problem's package that are part of a job's fingerprint.

    These are the distribution with its version, and the SHA-256 of the Python files of its package, because a
    package under development keeps its version while its code changes. Packages that it imports are not
    included.

    Raises:
        DataError: as in `find`.
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
