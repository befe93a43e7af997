"""Manifests: what a store holds of each unit of an output directory, with checksums.

A unit is a job directory, another directory of a job, or one file at the top, such as `report.json`. Its
manifest is written after its objects, so it never names an object that is not whole. A file that is about to
be replaced has two contents in the manifest, the new one first: a reader accepts both.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from job.storage.documents import DocumentError, parse_json
from job.storage.file_names import check_inner_path
from job.storage.remote_files import Content, RemoteFiles

FOLDER = "manifests"
"""The folder of a store that holds the manifests."""

FOLDERS = ("superseded", "ensembles", "jobs")
"""The subdirectories of an output directory whose directories are units."""

SCHEMA_VERSION = 1

TOP_FILES = re.compile(
    r"plan\.json|shards\.json|mlflow\.json|"
    r"(?:report|junit|metrics)(?:-[0-9]+-of-[0-9]+)?\.(?:html|md|xml|prom|json)"
)
"""The files at the top of an output directory that are units."""

_UNIT = re.compile(rf"(?:{'|'.join(FOLDERS)})/[A-Za-z0-9][A-Za-z0-9._-]{{0,199}}")
_SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Manifest:
    """What a store holds of a unit.

    Args:
        unit: such as `jobs/tutorial` or `report.json`.
        files: by path in the unit, the contents that the object may have; usually one.
    """

    unit: str
    files: Mapping[str, tuple[Content, ...]]

    @property
    def path(self) -> str:
        """The path of the manifest in the store."""
        return f"{FOLDER}/{self.unit}.json"

    def place(self, name: str) -> str:
        """Return the path of a file in the store."""
        return place_in_store(self.unit, name)

    def to_json(self) -> str:
        """Return the text of the manifest, which has a checksum of its own."""
        files = {
            name: [{"sha256": content.sha256, "bytes": content.bytes} for content in contents]
            for name, contents in sorted(self.files.items())
        }
        record = {"schema_version": SCHEMA_VERSION, "unit": self.unit, "files": files}
        return json.dumps({**record, "sha256": _checksum(record)}, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read a manifest of any origin.

        Raises:
            ValueError: it is none, or is damaged; the text is one clause.
        """
        record = parse_json(text)
        if not isinstance(record, dict) or record.get("schema_version") != SCHEMA_VERSION:
            raise DocumentError("it is not a manifest of this version")
        checksum = record.pop("sha256", None)
        if checksum != _checksum(record):
            raise DocumentError("its checksum does not match its content")
        try:
            unit, files = check_unit(record["unit"]), dict(record["files"])
            return cls(unit, {check_inner_path(name): _contents(files[name]) for name in files})
        except (LookupError, TypeError, AttributeError) as error:
            raise DocumentError(f"it is not a manifest ({type(error).__name__})") from error


def check_unit(unit: str) -> str:
    """Return the name of a unit; raises `ValueError` if it is none."""
    if not _UNIT.fullmatch(unit) and not TOP_FILES.fullmatch(unit):
        raise DocumentError(f"{unit[:60]!r} is no part of an output directory")
    return unit


def place_in_store(unit: str, name: str) -> str:
    """Return the path of a unit's file in the store: the same as in the output directory."""
    return f"{unit}/{name}" if "/" in unit else unit


def is_of(unit: str, names: Collection[str] | None) -> bool:
    """Return whether a unit of a store belongs to one of some jobs; None for all jobs."""
    folder, _, name = unit.partition("/")
    if names is None or folder == "jobs":
        return names is None or name in names
    return folder == "superseded" and any(name.startswith(f"{each}-") for each in names)


def read_manifest(remote: RemoteFiles, unit: str) -> Manifest | None:
    """Return the manifest of one unit; None if there is none, or if it is damaged; raises `StoreError`."""
    path = Manifest(unit, {}).path
    content = remote.read([path]).get(path)
    try:
        return None if content is None else manifest_of(content, unit)
    except ValueError:
        return None


def read_manifests(
    remote: RemoteFiles, wanted: Iterable[str] | None = None
) -> tuple[dict[str, Manifest], list[str]]:
    """Read the manifests of a store.

    Args:
        remote: the files of the store.
        wanted: names of units; None for all.

    Returns:
        the manifests by unit; and a sentence for each that cannot be read.

    Raises:
        StoreError: the store cannot be read.
    """
    suffix = ".json"
    listed = [path for path in remote.paths_in(FOLDER) if path.endswith(suffix)]
    units = {path: path.removeprefix(f"{FOLDER}/").removesuffix(suffix) for path in listed}
    chosen = [path for path, unit in units.items() if wanted is None or unit in {*wanted}]
    found, problems = {}, []
    for path, content in remote.read(chosen).items():
        try:
            found[units[path]] = manifest_of(content, units[path])
        except ValueError as error:
            problems.append(f"{remote.name}/{path} is ignored: {error}")
    return found, problems


def manifest_of(content: bytes, unit: str) -> Manifest:
    """Read the manifest of a unit; raises `ValueError` if it is damaged or that of another one."""
    manifest = Manifest.from_json(content)
    if manifest.unit != unit:
        raise DocumentError(f"it is the manifest of {manifest.unit}")
    return manifest


def _contents(listed: Any) -> tuple[Content, ...]:
    found = tuple(Content(str(each["sha256"]), int(each["bytes"])) for each in listed)
    if not found or not all(_SHA256.fullmatch(each.sha256) and each.bytes >= 0 for each in found):
        raise DocumentError("it has a file without a checksum")
    return found


def _checksum(record: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
