"""Copies of stores to read from, in temporary directories that are removed when the process ends."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from job.errors import StoreError
from job.storage.local_paths import masked
from job.storage.manifests import Manifest, read_manifests
from job.storage.remote_files import RemoteFiles, connect_store
from job.storage.store_address import StoreAddress, note_copy, parse_store
from job.storage.stored_units import fetch_directory, fetch_file

_LARGE = ("model/", "checkpoint/", "tensorboard/")
"""Directories of a job that only training and predicting need."""

_JOBS = "/jobs/"


def fetch_output(url: str) -> Path:
    """Return a copy of an output directory in a store, without models and checkpoints.

    Raises:
        StoreError: the store cannot be read, has no output directory, or a file differs from its checksum.
        OSError: a file cannot be written.
    """
    address = parse_store(url)
    remote = connect_store(address)
    stored, problems = read_manifests(remote)
    if not stored:
        raise StoreError(f"{address} holds no output directory; expected what a run with --store left there")
    root = _new_directory(address)
    for unit, manifest in stored.items():
        folder = unit.partition("/")[0]
        if folder == unit:
            problems += fetch_file(remote, manifest, root / unit)
        elif folder == "jobs":
            problems += _fetch_job(remote, manifest, root / unit, lambda name: not name.startswith(_LARGE))
    _refuse_damage(problems)
    return root


def fetch_model(url: str) -> Path:
    """Return a copy of a finished job in a store, from `URL/jobs/NAME`; raises as `fetch_output` does."""
    root, found, name = url.rstrip("/").removesuffix("/model").rpartition(_JOBS)
    if not found or "/" in name:
        raise StoreError(f"{masked(url)!r} is no job in a store; expected URL/jobs/NAME")
    address = parse_store(root)
    remote = connect_store(address)
    stored, problems = read_manifests(remote, [f"jobs/{name}"])
    if not stored:
        raise StoreError("; ".join([*problems, f"{address} has no job {name}"]))
    target = _new_directory(address) / "jobs" / name
    problems += _fetch_job(
        remote, stored[f"jobs/{name}"], target, lambda file: not file.startswith(_LARGE[1:])
    )
    _refuse_damage(problems)
    return target


def _fetch_job(
    remote: RemoteFiles, manifest: Manifest, target: Path, wanted: Callable[[str], bool]
) -> list[str]:
    files = {name: contents for name, contents in manifest.files.items() if wanted(name)}
    target.parent.mkdir(parents=True, exist_ok=True)
    return fetch_directory(remote, replace(manifest, files=files), target)


def _refuse_damage(problems: list[str]) -> None:
    if problems:
        raise StoreError("; ".join(problems))


def _new_directory(address: StoreAddress) -> Path:
    """Return a new temporary directory for the copy of a store."""
    place = Path(tempfile.mkdtemp(prefix="seq2seq-job-"))
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    root = place / (address.path.rpartition("/")[2] or "output")
    root.mkdir()
    note_copy(root, address)
    return root
