"""Fetch units of a store into an output directory: each complete and verified, or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from job.storage.manifests import Manifest
from job.storage.moving import filled_directory, flush, temporary_path
from job.storage.remote_files import READERS, RemoteFiles


def fetch_directory(remote: RemoteFiles, manifest: Manifest, target: Path) -> list[str]:
    """Download a unit to a directory that does not exist yet.

    A file whose object is missing or differs from its checksum is left out: what needs it is computed again.

    Args:
        remote: the files of the store.
        manifest: of the unit.
        target: the new directory; its parent must exist.

    Returns:
        a sentence for each file that was left out.

    Raises:
        StoreError: the store cannot be read.
        OSError: a file cannot be written; `target` does not exist.
    """
    with filled_directory(target, target.name) as temporary:
        temporary.mkdir()
        return fetch_files(remote, manifest, temporary)


def fetch_file(remote: RemoteFiles, manifest: Manifest, target: Path, folder: str = "") -> list[str]:
    """Download a unit that is one file; raises and returns as `fetch_directory` does.

    Args:
        remote: the files of the store, or of a folder of stores.
        manifest: of the unit.
        target: the file.
        folder: path of the store in the folder of stores, with a slash at its end.
    """
    temporary = temporary_path(target)
    try:
        ((name, accepted),) = manifest.files.items()
        place = f"{folder}{manifest.place(name)}"
        if not remote.fetch(place, temporary, accepted):
            return [_left_out(remote, place)]
        flush(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    flush(target.parent)
    return []


def fetch_files(remote: RemoteFiles, manifest: Manifest, directory: Path) -> list[str]:
    """Download a unit to an existing directory; raises and returns as `fetch_directory` does."""
    for name in manifest.files:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)

    def fetched(name: str) -> bool:
        return remote.fetch(manifest.place(name), directory / name, manifest.files[name])

    with ThreadPoolExecutor(READERS) as pool:
        found = dict(zip(manifest.files, pool.map(fetched, manifest.files), strict=True))
    return [_left_out(remote, manifest.place(name)) for name, whole in found.items() if not whole]


def _left_out(remote: RemoteFiles, place: str) -> str:
    return f"{remote.name}/{place} is missing or differs from its checksum; it is not used"
