"""Upload what has changed in an output directory to a store.

For each unit: first its changed files, each verified, `result.json` last; then its manifest; then the
objects that it no longer has are removed. Whenever this is cut off, a reader finds what a manifest names: the
old files or the new ones. A directory that has disappeared as a whole stays in the store.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue

from job.errors import StoreError
from job.storage.artifacts import OutputPaths
from job.storage.documents import open_regular, why
from job.storage.manifests import TOP_FILES, Manifest, place_in_store
from job.storage.mirrored_files import LocalFile, Unit, local_units
from job.storage.remote_files import CHUNK_BYTES, Content, RemoteFiles, hashed

_MAX_FAILURES = 3
"""Number of units in a row that cannot be uploaded after which the rest waits for the next round."""

_LOG = "job.log"


class _NotOwnedError(Exception):
    """A unit has become another process's, and is not touched any more."""


class Mirror:
    """The copy of an output directory in a store.

    Args:
        output: the output directory.
        remote: the files of the store.
        stored: the manifests in the store, by unit.
        owned: whether a unit is one of this process; the units of others are uploaded only if the store
            lacks them.
        confirmed: where units change hands while this process runs, asks before each write whether a unit
            is still its own; then those of others are not uploaded at all. It may raise `StoreError`.
    """

    def __init__(
        self,
        output: OutputPaths,
        remote: RemoteFiles,
        stored: Mapping[str, Manifest],
        owned: Callable[[str], bool] = lambda unit: True,
        confirmed: Callable[[str], bool] | None = None,
    ) -> None:
        self.remote = remote
        self.scan_seconds = 0.0
        """How long it takes to look for changes."""
        self._output, self._owned, self._confirmed = output, owned, confirmed
        self._stored = dict(stored)
        self._learned: SimpleQueue[tuple[str, Manifest | None]] = SimpleQueue()
        self._seen: set[str] = set()
        self._done: dict[str, Unit] = {}
        self._cut_off: set[str] = set()
        self._contents: dict[Path, tuple[LocalFile, Content]] = {}
        self._garbage: dict[str, set[str]] = {}

    def learn(self, unit: str, manifest: Manifest | None) -> None:
        """Note what the store has of a unit that is about to become this process's; from any thread.

        Args:
            unit: not owned yet.
            manifest: None if the store has nothing of it.
        """
        self._learned.put((unit, manifest))

    def sync(self, *, logs: bool = False) -> dict[str, str]:
        """Upload what has changed since the last round.

        Args:
            logs: also upload the logs of jobs of which nothing else has changed.

        Returns:
            by unit, why it is not uploaded; empty if the store has everything.

        Raises:
            OSError: the output directory cannot be read.
        """
        began = time.monotonic()
        units = self._units()
        self.scan_seconds = time.monotonic() - began
        problems: dict[str, str] = {}
        failures = 0
        gone = (name for name in self._seen - units.keys() if TOP_FILES.fullmatch(name))
        removed = sorted(name for name in gone if self._confirmed is None or self._owned(name))
        for name in [*units, *removed]:
            unit = units.get(name, {})
            if self._done.get(name) == unit and not self._garbage.get(name):
                continue
            if failures >= _MAX_FAILURES:
                problems[name] = "not tried again yet"
                continue
            try:
                self._sync_unit(name, unit, logs=logs)
                failures = 0
            except _NotOwnedError:
                continue
            except StoreError as error:
                problems[name] = str(error)
                failures += 1
            except OSError as error:
                # Replaced or removed while it was read: the next round finds the new file.
                problems[name] = f"{name} cannot be read: {why(error)}"
        self._seen |= units.keys()
        return problems

    def _units(self) -> dict[str, Unit]:
        """Return the local units that this process uploads."""
        found = local_units(self._output)
        if self._confirmed is None:
            return {
                name: unit for name, unit in found.items() if self._owned(name) or name not in self._others
            }
        owned = {name: unit for name, unit in found.items() if self._owned(name)}
        while not self._learned.empty():  # of what is owned it is known by now
            name, manifest = self._learned.get()
            for known in (self._done, self._garbage, self._stored):
                known.pop(name, None)
            if manifest is not None:
                self._stored[name] = manifest
        return owned

    @property
    def _others(self) -> set[str]:
        """The stored units of other processes."""
        return {name for name in self._stored if name not in self._seen}

    def _sync_unit(self, name: str, unit: Unit, *, logs: bool) -> None:
        """Make the store's copy of a unit that of the local files."""
        before = self._stored.get(name, Manifest(name, {}))
        now = {path: self._content(file) for path, file in unit.items()}
        changed = [path for path in unit if before.files.get(path) != (now[path],)]
        gone = before.files.keys() - now.keys()
        if changed == [_LOG] and not gone and not logs:
            return
        if not unit:
            self._confirm(name)
            self.remote.remove([before.path, place_in_store(name, name)])
            self._stored.pop(name, None)
        elif changed or gone or name in self._cut_off:
            unnamed = self._unnamed(name)
            self._cut_off.add(name)  # until it is complete: a file may disappear before the manifest names it
            self._upload(name, unit, changed, now)
            garbage = (gone | unnamed) - now.keys()
            self._garbage[name] = self._garbage.get(name, set()) | garbage
        self._remove_garbage(name)
        self._cut_off.discard(name)
        self._done[name] = unit

    def _upload(self, name: str, unit: Unit, changed: Sequence[str], now: Mapping[str, Content]) -> None:
        """Upload the changed files of a unit, and then its manifest."""
        before = self._stored.get(name, Manifest(name, {}))
        replaced = {path: before.files[path] for path in changed if path in before.files}
        if replaced:  # a reader accepts both contents until the manifest below is written
            both = {path: (now[path], *_without(now[path], old)) for path, old in replaced.items()}
            self._write(Manifest(name, {**before.files, **both}))
        for path in changed:
            self._confirm(name)
            self.remote.put_file(place_in_store(name, path), unit[path].path, now[path])
        self._write(Manifest(name, {path: (content,) for path, content in now.items()}))

    def _unnamed(self, name: str) -> set[str]:
        """Return the objects of a directory that a killed process, or an upload cut off, may have left."""
        if (name in self._done and name not in self._cut_off) or "/" not in name:
            return set()
        return {path.removeprefix(f"{name}/") for path in self.remote.paths_in(name)}

    def _remove_garbage(self, name: str) -> None:
        """Remove objects that the manifest of a unit does not name, also in a later round if it fails now."""
        if name in self._garbage:
            self._confirm(name)
            self.remote.remove(place_in_store(name, path) for path in sorted(self._garbage[name]))
            del self._garbage[name]

    def _confirm(self, name: str) -> None:
        """Raise `_NotOwnedError` if a unit has become another process's."""
        if self._confirmed is not None and not self._confirmed(name):
            raise _NotOwnedError(name)

    def _write(self, manifest: Manifest) -> None:
        self._confirm(manifest.unit)
        self.remote.put_bytes(manifest.path, manifest.to_json().encode())
        self._stored[manifest.unit] = manifest

    def _content(self, file: LocalFile) -> Content:
        """Return the checksum of a file, which is computed again only if the file has changed."""
        known = self._contents.get(file.path)
        if known is not None and known[0] == file:
            return known[1]
        with open_regular(file.path) as opened:
            content = hashed(iter(lambda: opened.read(CHUNK_BYTES), b""))
        self._contents[file.path] = file, content
        return content


def _without(new: Content, old: tuple[Content, ...]) -> tuple[Content, ...]:
    return tuple(content for content in old if content != new)
