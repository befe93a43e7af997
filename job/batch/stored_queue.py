"""A store in which the nodes of a queue meet: machines that have nothing else in common.

A thread keeps this node's view up to date. It looks at the store, renews the heartbeat, takes the leases that
the node asks for, and fetches jobs: the directory of one that the node begins or takes over, and the result
of one that another node has ended. The batch itself never waits for the store.

A node uploads only the jobs of which it has the lease, and only if it has seen within the time of a heartbeat
that no other node has taken them over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from job.batch.queue_batch import REPORTS
from job.batch.stored_jobs import StoredJobs
from job.errors import StoreError
from job.storage.lease import Lease
from job.storage.manifests import is_of
from job.storage.remote_files import WAITS
from job.storage.stored_queue_files import FOLDER, StoredQueueFiles, newest_batch
from job.workers.run_task import LEASE_CHECK_SECONDS

_Result = TypeVar("_Result")

CONFIRM_SECONDS = 1.0
"""Maximum age of what a node has seen of the leases when it writes to the store; or the time
between two heartbeats, if that is longer."""

GIVE_UP_SECONDS = 300.0
"""Time without an answer of the store after which a node does not wait for the others any more."""

_INTERVAL_SECONDS, _MAX_INTERVAL_SECONDS = 2.0, 10.0
"""Seconds between two looks at the store, and at most while it does not answer."""

_DROP_SECONDS = 3 * LEASE_CHECK_SECONDS
"""Time for a job that another node has taken over to be stopped here, before that node's result comes."""

_LEAVING_SECONDS = 5.0
"""Time to tell the others that this node has left."""


@dataclass
class _Taking:
    """A lease that this node asks for.

    Args:
        lease: the lease.
        content: of its file.
        state: `unsure` if the answer of the store was lost, `created` if the job is still being fetched.
    """

    lease: Lease
    content: bytes
    state: Literal["asked", "unsure", "created", "taken", "refused"] = "asked"


class StoredQueue:
    """The place in a store where nodes meet, see `queue_place.QueuePlace`.

    Args:
        files: of the queue.
        jobs: fetches jobs from the store, and knows what is uploaded.
        address: of the store.
        lease_seconds: time after which a node without heartbeat is lost.
    """

    def __init__(self, files: StoredQueueFiles, jobs: StoredJobs, address: str, lease_seconds: float) -> None:
        self.address: str | None = address
        self._files, self._jobs = files, jobs
        self._beat_seconds = min(5.0, lease_seconds / 10)
        self._looking, self._changed = threading.Lock(), threading.Condition()
        self._asked = self._closed = False
        self._seen_at = self._progress_at = time.monotonic()
        self._error = ""
        self._batch = 0
        self._heartbeat: tuple[Path, Mapping[str, object]] | None = None
        self._beats, self._beaten_at = 0, -self._beat_seconds
        self._left = False
        self.retired = False
        """Whether this node has let go of the jobs that have not ended."""
        self._takings: dict[Path, _Taking] = {}
        self._held: dict[str, Lease] = {}
        self._endings: dict[str, tuple[Path, bytes]] = {}
        self._settled: set[str] = set()
        self._refuted: list[str] = []
        self._lost: dict[str, float] = {}
        self._take_reports: Callable[[], object] = lambda: None
        self._leave: Callable[[], object] = lambda: None

    # --- what the batch asks for, see `QueuePlace` ----------------------------------------------------------

    def refresh(self) -> None:
        """Show that this node lives, and look at what the others have written."""

        def act() -> None:
            self._beat()
            self._look()

        self._patiently(act)

    def seen_at(self) -> float:
        """Return when the last look began that the store has answered."""
        return self._seen_at

    def create(self, path: Path, content: bytes) -> bool:
        """Create a file, again after an error that may pass."""
        return self._patiently(lambda: self._files.create(path, content))

    def remove(self, *paths: Path) -> None:
        """Remove files and directories, unless the store does not answer."""
        with suppress(StoreError), self._looking:
            self._files.remove(*paths)

    def _patiently(self, act: Callable[[], _Result]) -> _Result:
        for wait in WAITS:
            with suppress(StoreError), self._looking:
                return act()
            time.sleep(wait)
        with self._looking:
            return act()

    def take(self, lease: Lease, content: bytes) -> bool | None:
        """Ask for a lease; None until the store has answered and the job is fetched."""
        self._jobs.check()
        taking = self._takings.get(lease.file)
        if taking is None:
            taking = self._takings[lease.file] = _Taking(lease, content)
            self._wake()
        if taking.state not in ("taken", "refused"):
            return None
        del self._takings[lease.file]
        return taking.state == "taken"

    def renew(self, path: Path, record: Mapping[str, object]) -> None:
        """Have the thread show that this process lives, as long as it does."""
        if not self._batch:
            self._batch = int(path.parent.parent.name)
            for ended in path.parent.with_name("ended").iterdir():  # shown again when the results are here
                ended.unlink()
        self._files.show(path, record)
        self._heartbeat = path, record

    def release(self, path: Path, record: Mapping[str, object]) -> None:
        """Tell the others that this node has left; nothing of its jobs is uploaded any more."""
        self.renew(path, record)
        self.retired = True
        self._left, self._beaten_at = True, -self._beat_seconds
        deadline = time.monotonic() + _LEAVING_SECONDS
        self._wake()
        with self._changed:
            self._changed.wait_for(lambda: self._heartbeat is None, deadline - time.monotonic())

    def end(self, path: Path, content: bytes) -> None:
        """Note that a job has ended; the others are told once its result is in the store."""
        self._files.write(path, content)
        self._progress_at = time.monotonic()
        self._endings[path.name] = path, content
        self._jobs.upload()
        self._wake()

    def retire(self) -> bool:
        """Tell the others which jobs have ended, and upload nothing more of those that have not."""
        self._wake()
        deadline = time.monotonic() + _LEAVING_SECONDS
        while self._endings and time.monotonic() < deadline:
            time.sleep(0.05)
        self.retired = True
        return self.holds(REPORTS)

    def refuted(self) -> Collection[str]:
        """Return the jobs that this node has ended after another one had taken them over."""
        self._jobs.check()
        found, self._refuted = self._refuted, []
        return found

    @property
    def unsettled(self) -> bool:
        """Whether the others do not know yet that a job has ended, and the uploads advance."""
        waited = time.monotonic() - self._progress_at
        return bool(self._refuted) or (bool(self._endings) and waited < GIVE_UP_SECONDS)

    def unreachable(self) -> str:
        """Return why nothing can be learned of the others any more."""
        seconds = time.monotonic() - self._seen_at
        return (
            f"{self.address} has not answered for {seconds:.0f} s: {self._error}" if self._is_silent else ""
        )

    @property
    def _is_silent(self) -> bool:
        return time.monotonic() - self._seen_at > GIVE_UP_SECONDS

    def joined(self, take_reports: Callable[[], object], leave: Callable[[], object]) -> bool:
        """Note the batch; the reports are uploaded by the node that has their lease."""
        self._take_reports, self._leave = take_reports, leave
        return True

    # --- what the uploads ask for ---------------------------------------------------------------------------

    def owns(self, unit: str) -> bool:
        """Return whether a unit of the store is this node's to upload, as far as it has seen."""
        if unit.partition("/")[0] in ("jobs", "superseded"):
            names = [name for name in [*self._held] if not self.retired or name in self._settled]
            return any(is_of(unit, [name]) and self.holds(name) for name in names)
        return self.holds(REPORTS) and not self._left

    def holds(self, name: str) -> bool:
        """Return whether no other node has taken a job over that this one has begun."""
        return name in self._held and self._held[name].held

    def confirms(self, unit: str) -> bool:
        """Return the same as `owns`, from leases that were seen just now; raises `StoreError`."""
        if time.monotonic() - self._seen_at > max(CONFIRM_SECONDS, self._beat_seconds):
            with self._looking:
                self._look()
        return self.owns(unit)

    # --- the thread -----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the thread."""
        self._jobs.when_fetched = self._wake
        self._jobs.start()
        threading.Thread(target=self._run, name="queue", daemon=True).start()

    def close(self) -> None:
        """Ask the thread to end."""
        self._closed = True
        self._jobs.close()
        self._wake()

    @property
    def has_left(self) -> bool:
        """Whether this node has left the batch: it uploads nothing any more."""
        return self._left

    def await_reports(self, stopped: Callable[[], bool]) -> None:
        """Wait until this node may upload the reports, or another one has, or has no time left."""
        while self._batch and not self.retired and not stopped() and not self._is_silent:
            if self.holds(REPORTS) or self._reported.exists():
                return
            self._take_reports()
            time.sleep(0.1)

    def leave(self, *, uploaded: bool) -> None:
        """Leave the batch, after telling the others whether the reports are uploaded."""
        if not self._batch or self._left:
            return
        if uploaded and not self.retired and self.holds(REPORTS):
            self.end(self._reported, b"{}")
        self._leave()

    @property
    def _reported(self) -> Path:
        return self._files.here(f"{FOLDER}/{self._batch}/ended/{REPORTS}")

    def _wake(self, due: bool = True) -> None:
        with self._changed:
            self._asked = self._asked or due
            self._changed.notify_all()

    def _run(self) -> None:
        failures = 0
        while not self._closed:
            try:
                self.work()
                failures = 0
            except Exception as error:  # also a bug or a full disk: the node is then lost for the others
                self._error, failures = (
                    str(error) if isinstance(error, StoreError) else repr(error),
                    failures + 1,
                )
            interval = min(_INTERVAL_SECONDS, self._beat_seconds) * 2.0 ** min(failures, 10)
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closed or self._asked, min(interval, _MAX_INTERVAL_SECONDS)
                )
                self._asked = False

    def work(self) -> None:
        """Renew the heartbeat, look at the store, and do what the batch has asked for.

        Raises:
            StoreError: the store does not answer; the rest is done the next time.
            OSError: a file cannot be written.
        """
        with self._looking:
            if not self._left:
                self._beat()
            paths = self._look()
            for taking in [*self._takings.values()]:
                self._advance(taking, paths)
            for name in [*self._endings]:
                self._publish(name, paths)
            if self._left:
                self._beat()

    def _beat(self) -> None:
        """Renew the heartbeat in the store, with a count of its own."""
        now = time.monotonic()
        if self._heartbeat is None or now - self._beaten_at < self._beat_seconds:
            return
        self._beaten_at, self._beats = now, self._beats + 1
        path, record = self._heartbeat
        self._files.put(path, {**record, "count": self._beats})
        if record.get("left") is True:
            with self._changed:
                self._heartbeat = None
                self._changed.notify_all()

    def _look(self) -> list[str]:
        """Bring this node's view up to date, and return what the store has."""
        began = time.monotonic()
        paths = self._files.listed()
        self._files.make_room(newest_batch(paths), self._batch)
        unread = self._files.unread(paths, self._heartbeat[0] if self._heartbeat else None)
        self._files.fetch(path for path in unread if self._is_readable(path))
        self._seen_at = began
        return paths

    def _is_readable(self, path: str) -> bool:
        """Return whether a file may be shown: the end of a job only once its result is here."""
        place = self._files.here(path)
        if place.parent.name != "ended" or place.name == REPORTS or not self._batch:
            return True
        if place.name in self._held and time.monotonic() - self._lost_since(place.name) < _DROP_SECONDS:
            return False
        return self._jobs.fetched(place.name, str(place))

    def _lost_since(self, name: str) -> float:
        """Return since when it is known that another node has a job that this one may still run."""
        return self._lost.setdefault(name, time.monotonic())

    def _advance(self, taking: _Taking, paths: Collection[str]) -> None:
        """Bring a lease that this node asks for one step further."""
        lease = taking.lease
        if taking.state in ("asked", "unsure"):
            path = self._files.there(lease.file)
            if taking.state == "asked" and path.replace("/leases/", "/ended/").rpartition(".")[0] in paths:
                taking.state = "refused"  # the result is on its way
                return
            was_unsure, taking.state = taking.state == "unsure", "unsure"
            if not was_unsure:
                created = self._files.create(lease.file, taking.content)
            else:
                created = path in paths and self._files.read(path) == taking.content
                if created:
                    self._files.write(lease.file, taking.content)
            taking.state = "created" if created else "refused"
        if taking.state == "created":
            name = lease.path.name
            ready = (
                self._jobs.learn_common() if name == REPORTS else self._jobs.fetched(name, str(lease.file))
            )
            if ready:
                self._held[name] = lease
                self._settled.discard(name)
                taking.state = "taken"

    def _publish(self, name: str, paths: Collection[str]) -> None:
        """Tell the others that a job has ended, if it is this node's and its result is in the store."""
        path, content = self._endings[name]
        if self._jobs.advanced():
            self._progress_at = time.monotonic()
        if not self.holds(name):
            if name != REPORTS:
                self._jobs.discard(name, str(path))
            path.unlink(missing_ok=True)
            self._refuted.append(name)
            del self._endings[name]
            return
        if self._files.there(path) not in paths:
            if name != REPORTS and not self._jobs.uploaded(name):
                return
            self._files.create(path, content)
        self._settled.add(name)
        del self._endings[name]
