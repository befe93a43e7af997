"""The jobs of a queue in a store: fetched by a thread, and asked whether their results are uploaded."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

from job.batch.store_fetch import fetch_directories
from job.errors import StoreError
from job.results.checksums import sha256_of
from job.storage.artifacts import OutputPaths
from job.storage.job_directories import set_aside
from job.storage.manifests import FOLDER, Manifest, read_manifest
from job.storage.mirror_thread import MirrorThread
from job.storage.remote_files import RemoteFiles


class StoredJobs:
    """The jobs of a queue in a store.

    Args:
        output: the output directory of this node.
        remote: the files of the store.
        uploads: of this node.
    """

    when_fetched: Callable[[], object] = staticmethod(lambda: None)
    """Called after each job that was fetched."""

    def __init__(self, output: OutputPaths, remote: RemoteFiles, uploads: MirrorThread) -> None:
        self._output, self._remote, self._uploads = output, remote, uploads
        self._wanted: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
        self._asked: set[str] = set()
        self._done: set[str] = set()
        self._error: Exception | None = None
        self._verified = 0

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="jobs", daemon=True).start()

    def check(self) -> None:
        """Raise what has kept a job from being written: an `OSError`, or an `OutputError`."""
        if self._error is not None:
            raise self._error

    def fetched(self, name: str, reason: str) -> bool:
        """Return whether a job is here as the store had it after this was first asked; fetch it if not.

        Args:
            name: of the job.
            reason: another one fetches it again.
        """
        if reason in self._done:
            return True
        if reason not in self._asked:
            self._asked.add(reason)
            self._wanted.put((name, reason))
        return False

    def discard(self, name: str, reason: str) -> None:
        """Set a job's directory aside, and fetch the job again when `fetched` is asked for the same reason.

        Raises:
            OSError: the directory cannot be moved.
        """
        if self._output.job(name).directory.exists():
            set_aside(self._output, name)
        self._asked.discard(reason)
        self._done.discard(reason)

    def learn_common(self) -> bool:
        """Tell the uploads what the store has of what concerns all jobs; raises `StoreError`."""
        for path in self._remote.paths_in(FOLDER):
            unit = path.removeprefix(f"{FOLDER}/").removesuffix(".json")
            if not unit.startswith(("jobs/", "superseded/")):
                self._uploads.learn(unit, read_manifest(self._remote, unit))
        return True

    def uploaded(self, name: str) -> bool:
        """Return whether the store has the result of a job, and all that belongs to it.

        The result goes up last, and its manifest after it; without a result there is nothing to wait for.

        Raises:
            StoreError: the store cannot be read.
        """
        result = self._output.job(name).result
        if not result.exists():
            return True
        manifest = read_manifest(self._remote, f"jobs/{name}")
        found = manifest.files.get(result.name, ()) if manifest is not None else ()
        return [content.sha256 for content in found] == [sha256_of(result)]

    def upload(self) -> None:
        """Have what has changed uploaded now."""
        self._uploads.ask()

    def advanced(self) -> bool:
        """Return whether anything was uploaded since the last call."""
        before, self._verified = self._verified, self._uploads.verified
        return self._verified != before

    def close(self) -> None:
        """Ask the thread to end."""
        self._wanted.put(None)

    def _run(self) -> None:
        while (wanted := self._wanted.get()) is not None:
            self._try(*wanted)
            self.when_fetched()

    def fetch_now(self) -> None:
        """Fetch what was asked for, without the thread."""
        while not self._wanted.empty() and (wanted := self._wanted.get()) is not None:
            self._try(*wanted)

    def _try(self, name: str, reason: str) -> None:
        try:
            self._fetch(name)
            self._done.add(reason)
        except StoreError:  # the next look asks again
            self._asked.discard(reason)
        except Exception as error:  # a full disk, or a link where a directory should be
            self._error = error

    def _fetch(self, name: str) -> None:
        unit = f"jobs/{name}"
        manifest = read_manifest(self._remote, unit)
        if manifest is not None:
            stored: dict[str, Manifest] = {unit: manifest}
            fetch_directories(self._remote, stored, self._output, lambda _: True)
        self._uploads.learn(unit, manifest)
