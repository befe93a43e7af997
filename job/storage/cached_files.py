"""Objects of stores that specs name, data files and models to start from: downloaded once to a cache.

The cache lies in `$XDG_CACHE_HOME/seq2seq-job` (`~/.cache`), for all batches of the user. Whether an object
has changed is asked of the store; the version that a changed one replaces is removed.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from job.errors import StoreError
from job.storage.copy_errors import copying
from job.storage.moving import TEMPORARY, flush_tree
from job.storage.store_address import StoreAddress, note_copy, parse_store

KNOWN_SECONDS = 30.0
"""How long this process relies on the last answer of a store: many jobs share a file."""

_known: dict[str, tuple[float, Path]] = {}


def cached_file(url: str) -> Path:
    """Return the path of an object's copy, which has the object's name.

    Raises:
        StoreError: the store or the object cannot be read, or the copy cannot be written.
    """
    return _looked_up(url, _file)


def cached_model(url: str) -> Path:
    """Return the copy of a job directory in a store, with what another training starts from.

    Args:
        url: `URL/jobs/NAME`, also with `/model`.

    Raises:
        StoreError: the store or the job cannot be read, or the copy cannot be written.
    """
    return _looked_up(url, _model)


def cache_directory() -> Path:
    """Return the directory of the cache."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if Path(given).is_absolute():
        return Path(given) / "seq2seq-job"
    try:
        return Path.home() / ".cache" / "seq2seq-job"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / f"seq2seq-job-{os.getuid()}"


def _looked_up(url: str, find: Callable[[str], Path]) -> Path:
    at, path = _known.get(url, (-KNOWN_SECONDS, Path()))
    if time.monotonic() - at < KNOWN_SECONDS and path.exists():
        return path
    with copying(url, f"the cache {cache_directory()}", "XDG_CACHE_HOME"):
        path = find(url)
    _known[url] = time.monotonic(), path
    return path


def _file(url: str) -> Path:
    from job.storage.remote_files import connect_store

    address = parse_store(url)
    folder, _, name = address.path.rpartition("/")
    if not folder or name in (".", ".."):
        raise StoreError(f"{url!r} names no object in a store; expected BUCKET/PATH/NAME after ://")
    remote = connect_store(StoreAddress(address.scheme, folder))
    version = remote.version(name)
    if version is None:
        remote.check_bucket()
        raise StoreError(f"{address} cannot be read: there is no such object; check the name")

    def fill(place: Path) -> None:
        content = remote.download(name, place / name)
        if content is None or remote.version(name) != version:
            raise StoreError(f"{address} has changed while it was read; start again")

    path = _cached(address, version, fill) / name
    note_copy(path, address)
    return path


def _model(url: str) -> Path:
    from job.storage.fetched_places import fetch_start, split_model
    from job.storage.manifests import read_manifests
    from job.storage.remote_files import connect_store

    address, unit = split_model(url)
    remote = connect_store(address)
    stored, problems = read_manifests(remote, [unit])
    if unit not in stored:
        remote.check_bucket()
        raise StoreError("; ".join([*problems, f"{address}/{unit} is no job in the store"]))
    manifest = stored[unit]
    place = StoreAddress(address.scheme, f"{address.path}/{unit}")
    path = _cached(place, manifest.to_json(), lambda folder: fetch_start(remote, manifest, folder))
    note_copy(path, place)
    return path


def _cached(address: StoreAddress, version: str, fill: Callable[[Path], None]) -> Path:
    """Return the directory of a version in the cache, which is filled if it is not there.

    Its contents were synced before it got its name, so that it is there as a whole or not at all.
    """
    folder = cache_directory() / _digest(str(address))
    place = folder / _digest(version)
    if place.is_dir():
        return place
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
    try:
        fill(temporary)
        flush_tree(temporary)
        _put_in_place(temporary, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for other in folder.iterdir():
        if other != place and not other.name.startswith(TEMPORARY):
            shutil.rmtree(other, ignore_errors=True)
    return place


def _put_in_place(temporary: Path, place: Path) -> None:
    """Rename a complete directory, unless another process has just made the same one."""
    try:
        os.rename(temporary, place)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):  # either, as the file system likes
            raise


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
