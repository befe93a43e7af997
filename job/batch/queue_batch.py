"""A batch that several nodes work on, with the files in `queue/` by which they share it.

Nothing is locked, since locks do not work on every file system that machines share:

- `queue/batch-N.json`: a batch, created by its first node, see `queue_joining`
- `queue/N/nodes/ID.json`: a node, see `queue_nodes`
- `queue/N/leases/JOB.NUMBER`: a lease of a job, see `job.storage.lease`
- `queue/N/ended/JOB`: a job that has a result in this batch

Where the nodes share no directory, these are objects of a store, and this node's `queue/` is what it has seen
of them, see `queue_place`. One node then has the lease `.reports`, and uploads what concerns all jobs.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from job.batch.heartbeat import LOST_SECONDS
from job.batch.queue_nodes import MAX_BYTES, QueueNodes
from job.batch.queue_place import QueuePlace, SharedDirectory
from job.errors import OutputError
from job.results.batch_report import SetAside
from job.storage.documents import read_object
from job.storage.lease import Lease, lease_numbers

_OVER = (
    "other nodes took this one for lost, and have begun another batch in its output directory; run the "
    "command again to join it"
)

REPORTS = ".reports"
"""The name of the lease of the node that uploads the reports; no job has it."""


@dataclass(frozen=True)
class Ended:
    """A job that has a result in this batch.

    Args:
        reused: whether it was done before the batch began.
        failed: whether it is to be run again by the next batch: it has failed or was cancelled.
        set_aside: what was in the place of its directory, if anything was.
        cancelled: whether it was cancelled while it was evaluated again, and so has no result of its own.
    """

    reused: bool = False
    failed: bool = False
    set_aside: tuple[SetAside, ...] = ()
    cancelled: bool = False


@dataclass
class QueueBatch:
    """One node's view of a batch.

    Args:
        folder: `queue/N`.
        began_at: when the batch began, by the clock of its first node.
        nodes: this node and the others.
        place: where they meet.
        one_reports: whether one node uploads the reports for all.
    """

    folder: Path
    began_at: datetime
    nodes: QueueNodes
    place: QueuePlace = field(default_factory=SharedDirectory)
    one_reports: bool = field(init=False)
    _asked: dict[str, Lease] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.one_reports = self.place.joined(lambda: self.take(REPORTS), lambda: self.nodes.beat(left=True))

    def take(self, name: str) -> Lease | None:
        """Return a lease of a job that no living node works on; None if one does, or if it has ended.

        Also None while it is not known yet whether this node gets it; the job is then in `taking`.

        Raises:
            OutputError: other nodes have begun another batch.
            OSError: the directory cannot be read or written to.
        """
        lease = self._asked.pop(name, None) or self._next_lease(name)
        if lease is None:
            return None
        taken = self.place.take(lease, json.dumps({"node": self.nodes.own}).encode())
        if taken is None:
            self._asked[name] = lease
        return lease if taken else None

    @property
    def taking(self) -> Collection[str]:
        """The jobs whose lease this node has requested, without an answer yet."""
        return self._asked.keys() - {REPORTS}

    def _next_lease(self, name: str) -> Lease | None:
        path = self.folder / "leases" / name
        try:
            numbers = lease_numbers(path)
        except FileNotFoundError:
            raise OutputError(_OVER) from None
        last = Lease(path, numbers[-1]) if numbers else None
        if last is not None and not self.nodes.is_free(last.file):
            return None
        return Lease(path, last.number + 1 if last else 1)

    def end(self, name: str, ended: Ended) -> None:
        """Record that a job has a result; raises `OSError`."""
        self.place.end(self.folder / "ended" / name, json.dumps(asdict(ended)).encode())

    def leave(self, flush: Callable[[], object], *, done: bool) -> None:
        """Leave the batch, so that this node's leases are free.

        Args:
            flush: uploads what this node's jobs have left, for the nodes that will resume them.
            done: whether all jobs have ended; then nodes that meet in a store leave after the reports.
        """
        if self.one_reports and done:
            return
        flush()
        if not self.place.retire():
            self.nodes.beat(left=True)

    def ended(self) -> set[str]:
        """Return the names of the jobs that have ended; raises `OSError`."""
        return {name for name in os.listdir(self.folder / "ended") if not name.startswith(".")}

    def leased(self) -> set[str]:
        """Return the names of the jobs that any node has begun; raises `OSError`."""
        names = (name.rpartition(".")[0] for name in os.listdir(self.folder / "leases"))
        return {name for name in names if name and not name.startswith(".")}

    def read_ended(self, name: str) -> Ended:
        """Return what is recorded of a job that has ended; what cannot be read is left out."""
        record = read_object(self.folder / "ended" / name, MAX_BYTES)
        asides = record.get("set_aside", [])
        with suppress(TypeError):
            found = tuple(SetAside(**aside) for aside in asides)
            flags = {key: record.get(key) is True for key in ("reused", "failed", "cancelled")}
            return Ended(set_aside=found, **flags)
        return Ended()

    def to_repeat(self, names: Collection[str]) -> bool:
        """Return whether all of these jobs have ended, and one is to be run again by the next batch."""
        ended = self.ended()
        return ended.issuperset(names) and any(self.read_ended(name).failed for name in names)


def has_live_node(queue: Path) -> bool:
    """Return whether a node of the last batch of a queue has shown in the last minute that it lives.

    Args:
        queue: see `OutputPaths.queue`; it may be missing.
    """
    folder = _last_batch(queue) / "nodes"
    with suppress(OSError):
        for path in folder.glob("[0-9a-f]*.json"):
            recent = abs(time.time() - path.stat().st_mtime) <= LOST_SECONDS
            if recent and read_object(path, MAX_BYTES).get("left") is not True:
                return True
    return False


def is_leased(queue: Path, name: str) -> bool:
    """Return whether a node has begun a job of the last batch of a queue, and none has ended it.

    Args:
        queue: see `OutputPaths.queue`; it may be missing.
        name: of the job.
    """
    folder = _last_batch(queue)
    with suppress(OSError):
        return bool(lease_numbers(folder / "leases" / name)) and not (folder / "ended" / name).exists()
    return False


def _last_batch(queue: Path) -> Path:
    numbers = [int(path.name) for path in queue.glob("*") if path.name.isdecimal()]
    return queue / str(max(numbers, default=0))
