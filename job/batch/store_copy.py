"""The remote copy of a run's output directory: fetched before planning, then kept up to date."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from job.storage.store_address import StoreAddress, parse_store

if TYPE_CHECKING:  # fsspec and what it needs take time to load
    from job.batch.stored_queue import StoredQueue
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
        self._queue: StoredQueue | None = None

    @property
    def running(self) -> bool:
        """Whether files are being uploaded."""
        return self._thread is not None

    def check(self) -> None:
        """Check the URL, and that the package for it is installed; raises `StoreError`."""
        self._address = None if self.url is None else parse_store(self.url)

    def open(self, output: OutputPaths, shard: str = "", *, shared: bool = False) -> None:
        """Connect to the store, and fetch the plan and the reports that the output directory lacks.

        Args:
            output: prepared and locked.
            shard: label of the only shard whose reports are wanted; '' for all.
            shared: whether nodes of a queue will meet in the store.

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
        if shared:
            from job.storage.conditional_writes import ConditionalFiles

            ConditionalFiles(self._remote).check()
        self._stored, problems = read_manifests(self._remote)

        def wanted(name: str) -> bool:
            return not shard or name in ("plan.json", "shards.json", "mlflow.json") or f"-{shard}." in name

        self._report([*problems, *fetch_top_files(self._remote, self._stored, output, wanted)])

    def fetch(
        self, output: OutputPaths, names: Collection[str] | None = None, *, shared: bool = False
    ) -> None:
        """Fetch the job directories in which the store is ahead; raises as `open` does.

        Args:
            output: prepared and locked.
            names: of the jobs; None for everything.
            shared: without the jobs that have no result: other nodes may be running them.
        """
        if self._remote is None:
            return
        from job.batch.store_fetch import fetch_directories
        from job.storage.manifests import is_of

        def wanted(unit: str) -> bool:
            runs = shared and unit.startswith("jobs/") and "result.json" not in self._stored[unit].files
            return is_of(unit, names) and not runs

        self._report(fetch_directories(self._remote, self._stored, output, wanted))

    def start(
        self,
        output: OutputPaths,
        names: Collection[str] | None,
        stopped: Callable[[], bool],
        lease_seconds: float | None = None,
    ) -> StoredQueue | None:
        """Start to upload what changes in the output directory.

        Args:
            output: prepared and locked.
            names: of this process's jobs; None for everything.
            stopped: whether there was a request to stop, after which there is little time to upload.
            lease_seconds: of a node that shares the batch with others in the store, and uploads the jobs of
                which it has the lease: time after which a node without heartbeat is lost. Else None.

        Returns:
            where the nodes meet; None without nodes, or without a store.
        """
        self._stopped = stopped
        if self._remote is None:
            return None
        if lease_seconds is not None:
            return self._share(self._remote, output, lease_seconds)
        from job.storage.manifests import is_of
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
        return None

    def _share(self, remote: RemoteFiles, output: OutputPaths, lease_seconds: float) -> StoredQueue:
        from job.batch.shared_store import share_store
        from job.storage.stored_heartbeats import HeartbeatUploads

        self._queue, self._thread = share_store(remote, self._stored, output, lease_seconds)
        self._heartbeats = HeartbeatUploads(output, remote.without_retries(), self._queue.holds)
        self._heartbeats.start()
        return self._queue

    def flush(self, stopped: Callable[[], bool] = lambda: False) -> list[str]:
        """Wait until the store has everything; return a sentence for each part that it does not have.

        Args:
            stopped: whether there was a request to stop in another way than `start` knows.
        """
        if self._queue is not None and self._queue.retired:
            return []  # it has done so before; what it could not upload, another node does again
        return self._upload(stopped)

    def _upload(self, stopped: Callable[[], bool]) -> list[str]:
        if self._thread is None or (self._queue is not None and self._queue.has_left):
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
            if self._queue is not None:
                self._queue.await_reports(lambda: self._stopped() or stopped())
            problems = self._upload(stopped)
            if self._queue is not None:
                self._queue.leave(uploaded=not problems)
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
        if self._queue is not None:
            self._queue.close()
        self._thread = self._heartbeats = None

    def _report(self, problems: list[str]) -> None:
        for problem in problems:
            self._warn(f"warning: {problem}")
