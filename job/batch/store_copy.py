"""The remote copy of a run's output directory: fetched before planning, then kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from job.storage.store_address import StoreAddress, parse_store

if TYPE_CHECKING:  # fsspec and what it needs take time to load
    from job.storage.artifacts import OutputPaths
    from job.storage.manifests import Manifest
    from job.storage.mirror_thread import MirrorThread
    from job.storage.remote_files import RemoteFiles
    from job.storage.stored_heartbeats import HeartbeatUploads

_HEARTBEAT_SECONDS = 5.0
"""At the end: time to remove the heartbeats from the store, after everything is uploaded."""


class StoreCopy:
    """The copy of an output directory in a store; without a URL, nothing happens.

    Args:
        url: of the store; None for no store.
        warn: receives a sentence about each object that cannot be used.
    """

    def __init__(self, url: str | None, warn: Callable[[str], None] = lambda text: None) -> None:
        self.url = url
        self._address: StoreAddress | None = None
        self._warn = warn
        self._stopped: Callable[[], bool] = lambda: False
        self._remote: RemoteFiles | None = None
        self._stored: dict[str, Manifest] = {}
        self._thread: MirrorThread | None = None
        self._heartbeats: HeartbeatUploads | None = None
        self._failed = False

    @property
    def running(self) -> bool:
        """Whether files are being uploaded."""
        return self._thread is not None

    def check(self) -> None:
        """Check the URL, and that the package for it is installed; raises `StoreError`."""
        self._address = None if self.url is None else parse_store(self.url)

    def open(self, output: OutputPaths, shard: str = "") -> None:
        """Connect to the store, and fetch the plan and the reports that the output directory lacks.

        Args:
            output: prepared and locked.
            shard: label of the only shard whose reports are wanted; '' for all.

        Raises:
            StoreError: the store cannot be reached, read or written to.
            OSError: a file cannot be written.
        """
        if self.url is None:
            return
        from job.batch.store_fetch import fetch_top_files
        from job.storage.manifests import read_manifests
        from job.storage.remote_files import open_store

        self._remote = open_store(self._address or parse_store(self.url))
        self._stored, problems = read_manifests(self._remote)

        def wanted(name: str) -> bool:
            return not shard or name in ("plan.json", "shards.json", "mlflow.json") or f"-{shard}." in name

        self._report([*problems, *fetch_top_files(self._remote, self._stored, output, wanted)])

    def fetch(self, output: OutputPaths, names: Collection[str] | None = None) -> None:
        """Fetch the job directories in which the store is ahead; raises as `open` does.

        Args:
            output: prepared and locked.
            names: of the jobs; None for everything.
        """
        if self._remote is None:
            return
        from job.batch.store_fetch import fetch_directories

        self._report(fetch_directories(self._remote, self._stored, output, lambda unit: is_of(unit, names)))

    def start(self, output: OutputPaths, names: Collection[str] | None, stopped: Callable[[], bool]) -> None:
        """Start to upload what changes in the output directory.

        Args:
            output: prepared and locked.
            names: of this process's jobs; None for everything.
            stopped: whether there was a request to stop, after which there is little time to upload.
        """
        self._stopped = stopped
        if self._remote is None:
            return
        from job.storage.mirror import Mirror
        from job.storage.mirror_thread import MirrorThread
        from job.storage.stored_heartbeats import HeartbeatUploads

        def owned(unit: str) -> bool:
            return not unit.startswith(("jobs/", "superseded/")) or is_of(unit, names)

        mirror = Mirror(output, self._remote, self._stored, owned)
        self._thread = MirrorThread(mirror)
        if names is None or names:
            self._heartbeats = HeartbeatUploads(
                output, self._remote.without_retries(), lambda name: names is None or name in names
            )
            self._heartbeats.start()

    def flush(self, stopped: Callable[[], bool] = lambda: False) -> list[str]:
        """Wait until the store has everything; return a sentence for each part that it does not have.

        Args:
            stopped: whether there was a request to stop in another way than `start` knows.
        """
        if self._thread is None:
            return []
        from job.storage.mirror_thread import MAX_ROUNDS

        problems = self._thread.flush(lambda: self._stopped() or stopped(), 1 if self._failed else MAX_ROUNDS)
        self._failed = bool(problems)
        return [f"not uploaded: {problem}" for problem in problems]

    def finish(self, stopped: Callable[[], bool]) -> list[str]:
        """Upload the last files and end; returns as `flush` does."""
        try:
            if self._heartbeats is not None:
                self._heartbeats.end()
            problems = self.flush(stopped)
            if self._heartbeats is not None:
                self._heartbeats.join(_HEARTBEAT_SECONDS)
            return problems
        finally:
            self.close()

    def close(self) -> None:
        """End without uploading anything more."""
        if self._thread is not None:
            self._thread.close()
        if self._heartbeats is not None:
            self._heartbeats.end()
        self._thread = self._heartbeats = None

    def _report(self, problems: list[str]) -> None:
        for problem in problems:
            self._warn(f"warning: {problem}")


def is_of(unit: str, names: Collection[str] | None) -> bool:
    """Return whether a unit of a store belongs to one of some jobs; None for all jobs."""
    folder, _, name = unit.partition("/")
    if names is None or folder == "jobs":
        return names is None or name in names
    return folder == "superseded" and any(name.startswith(f"{each}-") for each in names)
