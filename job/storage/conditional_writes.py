"""Create an object of a store only if there is none with its name, so that one of several machines succeeds.

What fsspec does on its own looks first and writes then, which two machines can do at the same time. So only
the drivers are used that leave the condition to the store.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path
from typing import Any

from job.errors import StoreError
from job.storage.exclusive import create_exclusively
from job.storage.remote_files import RemoteFiles

_AT_THE_STORE = ("s3", "gs", "gcs")
"""Protocols whose drivers send the condition: `If-None-Match: *`, or a generation of 0."""

_IN_MEMORY = threading.Lock()


class NotConditionalError(TypeError):
    """The driver of a store cannot write conditionally; a retry does not help."""


class ConditionalFiles:
    """The files of a store, with objects that are created once.

    Args:
        remote: the files of the store.
    """

    def __init__(self, remote: RemoteFiles) -> None:
        self._remote = remote

    def check(self) -> None:
        """Raise `StoreError` if the store does not keep an object that is created a second time."""
        path = f".probe-{secrets.token_hex(8)}"
        try:
            both = [self.create(path, content) for content in (b"first", b"second")]
            self._remote.remove([path])
        except StoreError as error:
            if not isinstance(error.__cause__, NotConditionalError):
                raise
            both = []
        if both != [True, False]:
            raise StoreError(
                f"{self._remote.name} has no conditional writes, so the nodes of --queue cannot meet there: "
                "expected s3:// with a service that knows If-None-Match, gs:// or file://; else use --shard"
            )

    def create(self, path: str, content: bytes) -> bool:
        """Create an object, and return whether this call has created it.

        The answer of the store may be lost, so what counts is what is there afterwards.

        Args:
            path: of the object.
            content: that no other machine writes.

        Raises:
            StoreError: it cannot be written, or not conditionally.
        """

        def attempt(files: Any, place: str) -> bool:
            try:
                _create(files, place, content)
            except FileExistsError:
                pass
            except OSError as error:
                if not _is_refusal(error):
                    raise
            return bytes(files.cat_file(place)) == content

        return self._remote.attempted(path, "created", attempt)


def _create(files: Any, place: str, content: bytes) -> None:
    """Create an object; raises `FileExistsError`."""
    names = (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
    if "file" in names:
        local = Path(files._strip_protocol(place))
        local.parent.mkdir(parents=True, exist_ok=True)
        create_exclusively(local, content)
    elif "memory" in names:
        with _IN_MEMORY:
            files.pipe_file(place, content, mode="create")
    elif not {*names}.isdisjoint(_AT_THE_STORE):
        files.pipe_file(place, content, mode="create")
    else:
        raise NotConditionalError(f"the driver of {names[0]} does not write conditionally")


def _is_refusal(error: OSError) -> bool:
    """Return whether an error is the answer 412 of a service of S3 that does not name the condition."""
    response = getattr(error.__cause__, "response", None)
    metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
    return bool(metadata.get("HTTPStatusCode") == 412)
