"""The files of a queue as objects in a store, and a local copy of those that a node has seen.

Leases, ends and batches are created once and never changed, so they are read once. The heartbeats of nodes
are read again at each look; each has one writer.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from job.storage.artifacts import OutputPaths, write_unsynced
from job.storage.conditional_writes import ConditionalFiles
from job.storage.documents import read_object
from job.storage.remote_files import RemoteFiles

FOLDER = "queue"
"""The folder of a store and of an output directory that has these files."""

PARTS = ("nodes", "leases", "ended")

_FILE = re.compile(
    rf"{FOLDER}/(?:batch-[0-9]{{1,9}}\.json|[0-9]{{1,9}}/nodes/[0-9a-f]{{16}}\.json|"
    r"[0-9]{1,9}/(?:leases|ended)/(?:\.reports|[A-Za-z0-9])[A-Za-z0-9._-]{0,219})"
)
_MAX_BYTES = 1 << 16


class StoredQueueFiles:
    """The files of a queue in a store, and the local copy.

    Args:
        output: the local copy is its `queue/`, which is emptied first.
        remote: the files of the store; what fails is not tried again here.
    """

    def __init__(self, output: OutputPaths, remote: RemoteFiles) -> None:
        self._root, self._remote = output.root, remote
        self._conditional = ConditionalFiles(remote)
        shutil.rmtree(output.queue, ignore_errors=True)

    def listed(self) -> list[str]:
        """Return the paths of all files in the store; raises `StoreError`."""
        return queue_files(self._remote)

    def here(self, path: str) -> Path:
        """Return the place of a file in the local copy."""
        return self._root / path

    def there(self, path: Path) -> str:
        """Return the path in the store of a file of the local copy."""
        return path.relative_to(self._root).as_posix()

    def read(self, path: str) -> bytes | None:
        """Return the content of a file in the store; None if there is none; raises `StoreError`."""
        return self._remote.read([path]).get(path)

    def fetch(self, paths: Iterable[str]) -> None:
        """Bring files to the local copy; raises `StoreError`, or `OSError` if one cannot be written."""
        for path, content in self._remote.read(paths).items():
            self.write(self.here(path), content)

    def write(self, path: Path, content: bytes) -> None:
        """Write a file of the local copy only; raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_unsynced(path, content[:_MAX_BYTES].decode("utf-8", "replace"))

    def create(self, path: Path, content: bytes) -> bool:
        """Create a file in the store, and return whether this call has; then it is here too.

        Raises:
            StoreError: it cannot be created, or it is not known whether it was.
            OSError: the local copy cannot be written.
        """
        created = self._conditional.create(self.there(path), content)
        if created:
            self.write(path, content)
        return created

    def put(self, path: Path, record: Mapping[str, object]) -> None:
        """Write a heartbeat to the store only; raises `StoreError`."""
        self._remote.put_bytes(self.there(path), json.dumps(record).encode())

    def show(self, path: Path, record: Mapping[str, object]) -> None:
        """Write a heartbeat to the local copy only; raises `OSError`."""
        self.write(path, json.dumps(record).encode())

    def make_room(self, newest: int, own: int) -> None:
        """Make the folders of the newest batch; forget that of this node if it is an earlier one.

        The leases in it are then lost: the others took this node for lost, and have begun another batch.

        Args:
            newest: its number; 0 without one.
            own: number of the batch of this node; 0 before it has joined one.
        """
        if 0 < own < newest:
            shutil.rmtree(self._root / FOLDER / str(own), ignore_errors=True)
        for part in PARTS if newest else ():
            (self._root / FOLDER / str(newest) / part).mkdir(parents=True, exist_ok=True)

    def remove(self, *paths: Path) -> None:
        """Remove files and folders, in the store and here; raises `StoreError`."""
        names = [self.there(path) for path in paths]
        gone = [path for path in self.listed() if any(path == n or path.startswith(f"{n}/") for n in names)]
        self._remote.remove(gone)
        for path in paths:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def unread(self, paths: Sequence[str], own: Path | None) -> list[str]:
        """Return the paths of the files of the newest batch, and of all batches, that must be read now.

        Args:
            paths: as `listed` returns them.
            own: the heartbeat of this node.
        """
        newest = f"{FOLDER}/{newest_batch(paths)}/"
        current = [path for path in paths if path.startswith(newest) or path.count("/") == 1]
        return [path for path in current if self.here(path) != own and self._is_unread(path)]

    def _is_unread(self, path: str) -> bool:
        here = self.here(path)
        if not here.exists():
            return True
        is_node = PurePosixPath(path).parent.name == "nodes"
        return is_node and read_object(here, _MAX_BYTES).get("left") is not True


def queue_files(remote: RemoteFiles) -> list[str]:
    """Return the paths of all files of a queue in a store; raises `StoreError`."""
    return [path for path in remote.paths_in(FOLDER) if _FILE.fullmatch(path)]


def copy_names(remote: RemoteFiles, output: OutputPaths) -> None:
    """Make empty files in `queue/` with the names of those in a store, and no others.

    Raises:
        StoreError: the store cannot be read.
        OSError: a file cannot be written.
    """
    shutil.rmtree(output.queue, ignore_errors=True)
    for path in queue_files(remote):
        (output.root / path).parent.mkdir(parents=True, exist_ok=True)
        (output.root / path).touch()


def newest_batch(paths: Iterable[str]) -> int:
    """Return the number of the newest batch among the files of a queue; 0 without one."""
    found = (re.fullmatch(rf"{FOLDER}/batch-([0-9]+)\.json", path) for path in paths)
    return max((int(match[1]) for match in found if match), default=0)
