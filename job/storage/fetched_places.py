"""Copies of stores to read from, in temporary directories that are removed when the process ends."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from job.errors import StoreError
from job.storage.copy_errors import copying
from job.storage.local_paths import masked
from job.storage.manifests import FOLDER, Manifest, manifest_of, read_manifests
from job.storage.remote_files import RemoteFiles, connect_store
from job.storage.store_address import StoreAddress, note_copy, parse_store
from job.storage.stored_units import fetch_directory, fetch_file, fetch_files

_LARGE = ("model/", "checkpoint/", "tensorboard/")
"""Directories of a job that only training and predicting need."""

_START = ("spec.yaml", "model/train.keras", "model/vocabulary.json")
"""The files of a job that another training needs to start from its model."""

_MODEL = re.compile("(?P<store>.+)/(?P<unit>(?:jobs|ensembles)/[^/]+)", re.DOTALL)

_REPORT = "report.json"


def fetch_output(url: str, *, whole: bool = False) -> Path:
    """Return a copy of an output directory in a store.

    Args:
        url: of the store.
        whole: with models and checkpoints, which are otherwise left out.

    Raises:
        StoreError: the store cannot be read, has no output directory, a file differs from its checksum, or
            the copy cannot be written.
    """
    with copying(url, tempfile.gettempdir(), "TMPDIR"):
        address = parse_store(url)
        remote = connect_store(address)
        stored, problems = read_manifests(remote)
        if not stored:
            raise no_output(remote)
        root = new_copy(address)
        for unit, manifest in stored.items():
            folder = unit.partition("/")[0]
            if folder == unit:
                problems += fetch_file(remote, manifest, root / unit)
            elif folder == "jobs":
                problems += _fetch_job(
                    remote, manifest, root / unit, lambda name: whole or not name.startswith(_LARGE)
                )
        _refuse_damage(problems)
        return root


def fetch_model(url: str) -> Path:
    """Return a copy of a finished job in a store, from `URL/jobs/NAME`, or of an ensemble with its members.

    Raises as `fetch_output` does.
    """
    with copying(url, tempfile.gettempdir(), "TMPDIR"):
        address, unit = split_model(url)
        remote = connect_store(address)
        root = new_copy(address)
        _fetch_models(remote, [unit], root)
        if unit.startswith("ensembles/"):
            _fetch_models(remote, [*_members(root / unit)], root)
        return root / unit


def split_model(url: str) -> tuple[StoreAddress, str]:
    """Return the address of a store and the unit of it that a URL names, such as `jobs/tutorial`.

    Raises:
        StoreError: the URL is that of no job, or `parse_store` refuses it.
    """
    found = _MODEL.fullmatch(url.rstrip("/").removesuffix("/model"))
    if not found:
        raise StoreError(f"{masked(url)!r} is no job in a store; expected URL/jobs/NAME")
    return parse_store(found["store"]), found["unit"]


def fetch_start(remote: RemoteFiles, manifest: Manifest, target: Path) -> None:
    """Fetch what another training starts from: the model for training, its vocabulary and its spec.

    Args:
        remote: the files of the store.
        manifest: of a job.
        target: an existing directory.

    Raises:
        StoreError: the store cannot be read, or a file is missing or differs from its checksum.
        OSError: a file cannot be written.
    """
    files = {name: contents for name, contents in manifest.files.items() if name in _START}
    _refuse_damage(fetch_files(remote, replace(manifest, files=files), target))


def fetch_reports(url: str) -> Path:
    """Return a directory with the `report.json` of each store at or below a URL, under the store's own path.

    Args:
        url: of a store, or of a folder of stores; its path may have the wildcards of `fnmatch`, but for `?`.

    Raises:
        StoreError: the store cannot be read, has no report, a report differs from its checksum, or the copy
            cannot be written.
    """
    with copying(url, tempfile.gettempdir(), "TMPDIR"):
        given = parse_store(url.rstrip("/").removesuffix(f"/{_REPORT}"))
        folder = re.split(r"/(?=[^/]*[*\[])", given.path, maxsplit=1)[0]
        address = replace(given, path=folder)
        remote = connect_store(address)
        end = f"{FOLDER}/{_REPORT}.json"
        places = [path for path in remote.paths_in("") if path == end or path.endswith(f"/{end}")]
        found = [path.removesuffix(end) for path in places]
        pattern = given.path.removeprefix(folder).strip("/")
        chosen = [place for place in found if _matches(place, pattern)]
        if not chosen:
            remote.check_bucket()
            raise StoreError(f"{given} holds no report; expected what runs with --store left there")
        root, problems = new_copy(address), []
        for place in [""] if "" in chosen else chosen:  # what lies in a store belongs to it
            (content,) = remote.read([f"{place}{end}"]).values()
            manifest = manifest_of(content, _REPORT)
            (root / place).mkdir(parents=True, exist_ok=True)
            problems += fetch_file(remote, manifest, root / place / _REPORT, place)
        _refuse_damage(problems)
        return root


def _matches(place: str, pattern: str) -> bool:
    """Return whether a path, or a folder above it, matches a pattern segment by segment."""
    parts, wanted = PurePosixPath(place).parts, PurePosixPath(pattern).parts
    return len(parts) >= len(wanted) and all(map(fnmatchcase, parts, wanted))


def _fetch_models(remote: RemoteFiles, units: list[str], root: Path) -> None:
    """Fetch directories with models."""
    stored, problems = read_manifests(remote, units)
    for unit in units:
        if unit not in stored:
            kind, _, name = unit.partition("/")
            remote.check_bucket()
            raise StoreError("; ".join([*problems, f"{remote.name} has no {kind.removesuffix('s')} {name}"]))
        problems += _fetch_job(
            remote, stored[unit], root / unit, lambda file: not file.startswith(_LARGE[1:])
        )
    _refuse_damage(problems)


def _members(ensemble: Path) -> Iterator[str]:
    """Yield the units of an ensemble's members; loading it says what is wrong with its file."""
    try:
        members = json.loads((ensemble / "ensemble.json").read_bytes())["members"]
        names = [PurePosixPath(member["directory"]).name for member in members]
    except (OSError, ValueError, LookupError, TypeError):
        return
    yield from (f"jobs/{name}" for name in dict.fromkeys(names))


def _fetch_job(
    remote: RemoteFiles, manifest: Manifest, target: Path, wanted: Callable[[str], bool]
) -> list[str]:
    files = {name: contents for name, contents in manifest.files.items() if wanted(name)}
    target.parent.mkdir(parents=True, exist_ok=True)
    return fetch_directory(remote, replace(manifest, files=files), target)


def no_output(remote: RemoteFiles) -> StoreError:
    """Return the error of a store without an output directory; raises that of a missing bucket."""
    remote.check_bucket()
    return StoreError(f"{remote.name} holds no output directory; expected what a run with --store left there")


def _refuse_damage(problems: list[str]) -> None:
    if problems:
        raise StoreError("; ".join(problems))


def new_copy(address: StoreAddress) -> Path:
    """Return a new temporary directory for the copy of a store."""
    place = Path(tempfile.mkdtemp(prefix="seq2seq-job-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    root = place / (address.path.rpartition("/")[2] or "output")
    root.mkdir()
    note_copy(root, address)
    return root
