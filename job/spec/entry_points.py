"""What other installed packages offer: find it by its entry points, and identify its code."""

from __future__ import annotations

import hashlib
import importlib.util
from dataclasses import dataclass
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

from job.errors import DataError
from job.spec.complaints import did_you_mean
from job.spec.file_locations import checksum


@dataclass(frozen=True)
class Group:
    """A group of entry points (Python Packaging User Guide, "Entry points specification").

    Args:
        name: its name.
        kind: what an entry point of it offers, as a noun: `problem`.
    """

    name: str
    kind: str


PROBLEMS = Group("seq2seq_job.problems", "problem")
MODELS = Group("seq2seq_job.models", "model")
LAYERS = Group("seq2seq_job.layers", "layer package")
"""Modules that register Keras layers; the entry point has the name of the package that they register with."""


def find(group: Group, name: str) -> EntryPoint:
    """Return an entry point without loading it.

    Args:
        group: the group that it belongs to.
        name: its name.

    Raises:
        DataError: no installed package, or more than one, offers it.
    """
    offered = metadata.entry_points(group=group.name)
    found = [entry for entry in offered if entry.name == name]
    if len(found) == 1:
        return found[0]
    if found:
        owners = ", ".join(sorted(owner(entry) for entry in found))
        raise DataError(
            f"{group.kind} {name!r} is offered by {owners}; uninstall all of them but one", key="name"
        )
    names = sorted(offered.names)
    known = f"installed are: {', '.join(names)}" if names else "none is installed"
    raise DataError(
        f"no installed package offers a {group.kind} {name!r}{did_you_mean(name, names)}; {known}; install "
        f"the package that has it among its entry points (group {group.name})",
        key="name",
    )


def owner(entry: EntryPoint) -> str:
    """Return the name and version of the distribution that has an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"


def identity(group: Group, name: str) -> dict[str, str]:
    """Return the facts about the package of an entry point that are part of a job's fingerprint.

    These are the distribution with its version, and the SHA-256 of the Python files of its package, because a
    package under development keeps its version while its code changes. Packages that it imports are not
    included.

    Raises:
        DataError: as in `find`.
        OSError: a file cannot be read.
    """
    entry = find(group, name)
    digest = hashlib.sha256()
    for path in python_files(entry):
        digest.update(checksum(path).encode())
    return {"distribution": owner(entry), "sha256": digest.hexdigest()}


def python_files(entry: EntryPoint) -> list[Path]:
    """Return the Python files of the package, or the module, of an entry point."""
    spec = importlib.util.find_spec(entry.module.partition(".")[0])
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [
            path for folder in spec.submodule_search_locations for path in sorted(Path(folder).rglob("*.py"))
        ]
    return [Path(spec.origin)] if spec.has_location and spec.origin else []
