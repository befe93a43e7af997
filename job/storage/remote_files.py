"""The files of a store: written and read with verification by SHA-256, and retried with back-off.

An upload counts once the object was read back and has the checksum of what was sent. Errors of any library
below fsspec become a `StoreError` of one sentence, without credentials.
"""

from __future__ import annotations

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from job.errors import StoreError
from job.storage.documents import open_regular
from job.storage.local_paths import masked
from job.storage.store_address import StoreAddress

WAITS = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each retry of an operation."""

CHUNK_BYTES = 1 << 20
_WHOLE_BYTES = 1 << 24
"""Up to this size a file is read into memory at once and written in one request."""

READERS = 8
"""Number of objects that are read at once."""

_FINAL = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "ParamValidationError",
    "InvalidURL",
    "DefaultCredentialsError",
)
"""Names of exceptions, besides those of `_lasting`, for which a retry cannot help."""

_VERSION_KEYS = ("ETag", "etag", "generation", "VersionId", "LastModified", "mtime", "created", "ino", "size")
"""What file systems tell of an object that changes with its content."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Content:
    """What a file contains.

    Args:
        sha256: checksum in hex.
        bytes: size.
    """

    sha256: str
    bytes: int


class ChangedWhileReadError(OSError):
    """A local file is not what it was when its checksum was taken: it is uploaded later."""


class _TornError(OSError):
    """An object that was just written is not there or has another content."""


class RemoteFiles:
    """The files below the address of a store.

    Args:
        files: a file system of fsspec.
        root: the path in it.
        name: of the store in messages.
        atomic: whether an object is written completely or not at all; if not, it is written to a temporary
            name first and moved.
        in_bucket: whether the path begins with the name of a bucket.
        waits: seconds before each retry.
        pause: waits some seconds.
    """

    def __init__(
        self,
        files: Any,
        root: str,
        name: str,
        *,
        atomic: bool = True,
        in_bucket: bool = False,
        waits: Sequence[float] = WAITS,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        self._files, self._root, self._atomic = files, root, atomic
        self._in_bucket = in_bucket
        self.name = name
        self.waits = tuple(waits)
        self.pause = pause
        self.moved_bytes, self.verified = 0, 0
        """Number of bytes sent or received so far, and of objects that were written and verified."""

    def without_retries(self) -> RemoteFiles:
        """Return the same files for operations that are not tried again."""
        return self.separate(())

    def separate(self, waits: Sequence[float] | None = None) -> RemoteFiles:
        """Return the same files with counters of their own; None for the same waits before retries."""
        return RemoteFiles(
            self._files,
            self._root,
            self.name,
            atomic=self._atomic,
            in_bucket=self._in_bucket,
            waits=self.waits if waits is None else waits,
        )

    def check(self) -> None:
        """Write, read and remove an object; raises `StoreError` if the store cannot be used."""
        path = f".probe-{secrets.token_hex(8)}"
        try:
            self.put_bytes(path, b"probe")
            self.remove([path])
        except StoreError as error:
            raise StoreError(
                f"{error}; expected a store that exists and that this machine can read and write"
            ) from error

    def put_bytes(self, path: str, content: bytes) -> None:
        """Write an object; raises `StoreError`."""
        wanted = content_of(content)
        self._retried(path, "written", partial(self._put, path, content, wanted))

    def put_file(self, path: str, local: Path, wanted: Content) -> None:
        """Upload a file.

        Args:
            path: of the object.
            local: the file; it may be replaced by another one meanwhile, but not changed in place.
            wanted: its content.

        Raises:
            StoreError: it cannot be uploaded.
            ChangedWhileReadError: it has another content.
            OSError: it cannot be read.
        """
        if wanted.bytes <= _WHOLE_BYTES:
            with open_regular(local) as file:
                content = file.read(wanted.bytes + 1)
            if content_of(content) != wanted:
                raise ChangedWhileReadError(f"{local} has changed")
            self._retried(path, "written", partial(self._put, path, content, wanted))
            return
        with open_regular(local) as file:
            self._retried(path, "written", partial(self._put, path, file, wanted))

    def read(self, paths: Iterable[str]) -> dict[str, bytes]:
        """Return the content of objects by path, without those that do not exist; raises `StoreError`."""
        wanted = [*paths]
        with ThreadPoolExecutor(READERS) as pool:
            contents = [*pool.map(lambda path: self._retried(path, "read", partial(self._cat, path)), wanted)]
        return {path: content for path, content in zip(wanted, contents, strict=True) if content is not None}

    def fetch(self, path: str, local: Path, accepted: Sequence[Content]) -> bool:
        """Download an object to a new file, and return whether it has one of the contents.

        Another content is fetched again with back-off: the object may be about to be replaced.

        Raises:
            StoreError: the store cannot be read.
            OSError: the file cannot be written.
        """
        for wait in (*self.waits, None):
            found = self._retried(path, "read", partial(self._get, path, local))
            if found in accepted:
                return True
            if found is None or wait is None:
                break
            self.pause(wait)
        local.unlink(missing_ok=True)
        return False

    def download(self, path: str, local: Path) -> Content | None:
        """Download an object of any content to a new file, and return its content; None if there is none.

        Raises:
            StoreError: the store cannot be read.
            OSError: the file cannot be written.
        """
        return self._retried(path, "read", partial(self._get, path, local))

    def version(self, path: str) -> str | None:
        """Return an identifier of the version of an object; None if there is no such object.

        Raises `StoreError`.
        """
        return self._retried(path, "read", partial(self._version, path))

    def paths_in(self, folder: str) -> list[str]:
        """Return the paths of all objects in a folder and its subfolders, sorted; raises `StoreError`."""
        return self._retried(folder, "listed", partial(self._find, folder))

    def remove(self, paths: Iterable[str]) -> None:
        """Remove objects that may exist; raises `StoreError`."""
        for path in paths:
            self._retried(path, "removed", partial(self._remove, path))

    def check_bucket(self) -> None:
        """Raise `StoreError` if the bucket does not exist: listing what is in it finds nothing either."""
        bucket = self._root.strip("/").partition("/")[0]
        if self._in_bucket and bucket and not self._retried("", "read", partial(self._exists, bucket)):
            raise StoreError(f"{self.name} cannot be read: there is no bucket {bucket}")

    def attempted(self, path: str, done: str, act: Callable[[Any, str], _Result]) -> _Result:
        """Do something with an object in a way of its own, again after an error that may pass.

        Args:
            path: of the object.
            done: what is done with it, as a participle.
            act: gets the file system and the path in it.

        Raises:
            StoreError: it cannot be done.
        """
        return self._retried(path, done, lambda: act(self._files, self._place(path)))

    # --- one attempt ----------------------------------------------------------------------------------------

    def _place(self, path: str) -> str:
        return f"{self._root}/{path}"

    def _put(self, path: str, content: bytes | IO[bytes], wanted: Content) -> None:
        place = self._place(path)
        target = place if self._atomic else f"{place}.tmp-{secrets.token_hex(4)}"
        if isinstance(content, bytes):
            self._files.pipe_file(target, content)
            self.moved_bytes += len(content)
        elif self._copy(content, target) != wanted:
            raise ChangedWhileReadError(f"{path} has changed")
        if self._digest(target) != wanted:
            raise _TornError("what was written is not what was sent")
        if target != place:
            self._files.mv(target, place)
        self.verified += 1

    def _copy(self, file: IO[bytes], target: str) -> Content:
        file.seek(0)
        with self._files.open(target, "wb") as remote:
            return hashed(self._passed_on(file, remote))

    def _digest(self, place: str, sink: IO[bytes] | None = None) -> Content | None:
        """Read an object and return its content; None if it does not exist."""
        try:
            with self._files.open(place, "rb") as remote:
                return hashed(self._passed_on(remote, sink))
        except FileNotFoundError:
            return None

    def _passed_on(self, source: IO[bytes], sink: IO[bytes] | None) -> Iterator[bytes]:
        """Yield the content of a file in chunks, after writing each to another one."""
        while chunk := source.read(CHUNK_BYTES):
            if sink is not None:
                sink.write(chunk)
            self.moved_bytes += len(chunk)
            yield chunk

    def _get(self, path: str, local: Path) -> Content | None:
        with local.open("wb") as sink:
            return self._digest(self._place(path), sink)

    def _cat(self, path: str) -> bytes | None:
        try:
            content = self._files.cat_file(self._place(path))
        except FileNotFoundError:
            return None
        self.moved_bytes += len(content)
        return bytes(content)

    def _find(self, folder: str) -> list[str]:
        self._files.invalidate_cache()
        place = self._files._strip_protocol(self._place(""))
        try:
            found = self._files.find(self._place(folder))
        except FileNotFoundError:
            return []
        return sorted(str(path).removeprefix(place).lstrip("/") for path in found)

    def _version(self, path: str) -> str | None:
        try:
            facts = self._files.info(self._place(path))
        except FileNotFoundError:
            return None
        found = {key: str(facts[key]) for key in _VERSION_KEYS if facts.get(key) is not None}
        return json.dumps(found) if facts.get("type") == "file" else None

    def _exists(self, place: str) -> bool:
        try:
            self._files.info(place)
        except FileNotFoundError:
            return False
        return True

    def _remove(self, path: str) -> None:
        try:
            self._files.rm_file(self._place(path))
        except FileNotFoundError:
            return

    def _retried(self, path: str, done: str, act: Callable[[], _Result]) -> _Result:
        """Do something with an object, again after an error that may pass."""
        for wait in (*self.waits, None):
            try:
                return act()
            except ChangedWhileReadError:
                raise
            except Exception as error:  # boto, aiohttp and gcsfs have exceptions of their own
                if wait is None or _lasting(error):
                    shown = f"{self.name}/{path}" if path else self.name
                    raise StoreError(f"{shown} cannot be {done}: {_said(error)}") from error
            self.pause(wait)
        raise AssertionError("the last attempt returns or raises")


def content_of(content: bytes) -> Content:
    """Return the checksum and size of some bytes."""
    return hashed([content])


def hashed(chunks: Iterable[bytes]) -> Content:
    """Return the checksum and size of bytes that come in chunks."""
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += len(chunk)
    return Content(digest.hexdigest(), size)


def open_store(address: StoreAddress) -> RemoteFiles:
    """Return the files of a store, which must be reachable and writable.

    Raises:
        StoreError: it is not.
    """
    remote = connect_store(address)
    remote.check()
    return remote


def connect_store(address: StoreAddress) -> RemoteFiles:
    """Return the files of a store without trying whether it can be reached.

    Raises:
        StoreError: the library of the store cannot be loaded or is not configured.
    """
    try:
        import fsspec

        for library in ("s3fs", "gcsfs"):  # which log tracebacks of errors that they raise too
            logging.getLogger(library).addHandler(logging.NullHandler())
        options = dict(_OPTIONS.get(address.scheme, {}))
        files = fsspec.filesystem(address.scheme, skip_instance_cache=True, **options)
        root = files._strip_protocol(str(address))
    except Exception as error:  # such as missing credentials of Google
        raise StoreError(f"{address} cannot be used: {_said(error)}") from error
    return RemoteFiles(
        files,
        root,
        str(address),
        atomic=address.scheme != "file",
        in_bucket=address.scheme in ("s3", "gs"),
        waits=WAITS[:1] if address.scheme == "gs" else WAITS,  # gcsfs itself tries for half a minute
    )


_OPTIONS: dict[str, dict[str, Any]] = {
    "file": {"auto_mkdir": True},
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {"connect_timeout": 10, "read_timeout": 60, "retries": {"max_attempts": 1}},
    },
    "gs": {"use_listings_cache": False},
}


def _lasting(error: Exception) -> bool:
    """Return whether an error is sure to come again."""
    return isinstance(error, PermissionError | FileNotFoundError | ImportError | TypeError) or any(
        kind.__name__ in _FINAL for kind in type(error).__mro__
    )


def _said(error: Exception) -> str:
    """Return an error in one line, without credentials."""
    text = (error.strerror if isinstance(error, OSError) else None) or str(error)
    line = next(iter(text.strip().splitlines()), "").rstrip(".")
    return masked(f"{line} ({type(error).__name__})" if line else type(error).__name__)
