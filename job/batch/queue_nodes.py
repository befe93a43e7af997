"""The nodes that work on a batch of `--queue`: each shows the others that it lives.

No clock is compared with another: a node has a file with a count that grows, and is lost for those who have
not seen it grow for a while, by their own clock.
"""

from __future__ import annotations

import math
import os
import re
import secrets
import socket
import time
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from job.batch.queue_place import QueuePlace, SharedDirectory
from job.storage.documents import read_object

MAX_BYTES = 1 << 16
"""Maximum size of a file of the queue that is read."""

LOOK_SECONDS = 1.0
"""Seconds between two looks at what the others have written: a slow file server bears one a second."""


@dataclass
class _Seen:
    """What a node has seen of another one.

    Args:
        count: the last count.
        at: when it was looked at last, in monotonic seconds.
        unchanged: seconds for which it was seen not to grow.
    """

    count: object
    at: float
    unchanged: float = 0.0


@dataclass
class QueueNodes:
    """The nodes of a batch, as one of them sees them.

    Args:
        folder: with a file `ID.json` for each node: its count, and whether it has left.
        lease_seconds: time after which a node whose count has not grown is lost.
        place: where the nodes meet.
        own: id of this node.
        rank: number of this process in its cluster; None without one.
        seen_ranks: numbers of the processes that were seen to live.
    """

    folder: Path
    lease_seconds: float
    place: QueuePlace = field(default_factory=SharedDirectory)
    own: str = field(default_factory=lambda: secrets.token_hex(8))
    rank: int | None = None
    seen_ranks: set[int] = field(default_factory=set)
    _count: int = 0
    _beaten_at: float = -math.inf
    _seen: dict[str, _Seen] = field(default_factory=dict)
    _stop: tuple[str, int] | None = None
    _earlier: frozenset[str] | None = None
    _looked_at: float = -math.inf
    _found: dict[str, dict[str, Any]] = field(default_factory=dict)

    @cached_property
    def beat_seconds(self) -> float:
        """Seconds between two heartbeats of a node: a lost one misses at least ten."""
        return min(5.0, self.lease_seconds / 10)

    def beat(self, *, left: bool = False) -> bool:
        """Let this node's count grow, if it is time to; return whether it was.

        Args:
            left: tell the others that this node has left, and that its leases are free.
        """
        now = time.monotonic()
        if not left and now - self._beaten_at < self.beat_seconds:
            return False
        self._beaten_at, self._count = now, self._count + 1
        record: dict[str, object] = {
            "count": self._count,
            "left": left,
            "host": socket.gethostname(),
            "pid": os.getpid(),
        }
        if self.rank is not None:
            record |= {"rank": self.rank, "stop": self._stop}
        with suppress(OSError):  # a node that cannot write is lost for the others, and notices that
            write = self.place.release if left else self.place.renew
            write(self._file(self.own), record)
            for node, count in self._counts().items():  # also while there is no job to take
                self._is_lost(node, count)
        return True

    def is_free(self, lease: Path) -> bool:
        """Return whether the node that has a lease has left, or is lost.

        Args:
            lease: the file of the lease, which names the node.
        """
        node = read_object(lease, MAX_BYTES).get("node", "")
        node = node if isinstance(node, str) and re.fullmatch("[0-9a-f]{16}", node) else ""
        if node == self.own:
            return False
        record = read_object(self._file(node), MAX_BYTES) if node else {}
        return record.get("left") is True or self._is_lost(node or str(lease), record.get("count"))

    def others_live(self) -> bool:
        """Watch the other nodes for as long as it takes to know; return whether any lives."""
        deadline = time.monotonic() + 1.5 * self.lease_seconds + 2 * self.beat_seconds
        first = self._counts()
        while time.monotonic() < deadline:
            counts = self._counts()
            if any(count != first.get(node) for node, count in counts.items()):
                return True
            if not counts:
                return False
            time.sleep(self.beat_seconds)
            self.place.refresh()
        return False

    @property
    def all_left(self) -> bool:
        """Whether there were nodes, and every one of them has left."""
        return any(self.folder.glob("[0-9a-f]*.json")) and not self._counts()

    def live_ranks(self) -> set[int]:
        """Return the numbers of the processes of the cluster that live, as far as this one has seen."""
        live = set()
        for node, record in self._records().items():
            rank = record.get("rank")
            if type(rank) is int and not self._is_lost(node, record.get("count")):
                live.add(rank)
        self.seen_ranks |= live
        return live

    def tell_stop(self, cause: str, exit_code: int) -> None:
        """Publish at once that this node was asked to stop."""
        if self._stop is None:
            self._stop, self._beaten_at = (cause, exit_code), -math.inf
            self.beat()

    def told_stop(self) -> tuple[str, int] | None:
        """Return a request to stop that another node published since the first call: cause, exit code."""
        told = {}
        for node, record in self._all_records().items():
            match record.get("stop"):
                case [str(cause), int(code)] if node != self.own:
                    told[node] = cause, code
        if self._earlier is None:
            self._earlier = frozenset(told)
        return next((stop for node, stop in told.items() if node not in self._earlier), None)

    def _is_lost(self, node: str, count: object) -> bool:
        """Return whether a node's count was seen not to grow for `lease_seconds`.

        If this process was suspended, or saw nothing, only a part of that time counts: the other may have
        been suspended, or unable to show itself, too.
        """
        now, seen = min(time.monotonic(), self.place.seen_at()), self._seen.get(node)
        if seen is None or seen.count != count:
            self._seen[node] = _Seen(count, now)
            return False
        seen.unchanged += min(now - seen.at, self.lease_seconds / 3)
        seen.at = now
        return seen.unchanged >= self.lease_seconds

    def _counts(self) -> dict[str, object]:
        """Return the counts of the nodes that have not left, by id."""
        return {node: record.get("count") for node, record in self._records().items()}

    def _records(self) -> dict[str, dict[str, Any]]:
        """Return the records of the nodes that have not left, by id."""
        return {node: r for node, r in self._all_records().items() if r.get("left") is not True}

    def _all_records(self) -> dict[str, dict[str, Any]]:
        """Return the records of all nodes by id; they are read at most once in `LOOK_SECONDS`."""
        now = time.monotonic()
        if now - self._looked_at >= min(LOOK_SECONDS, self.beat_seconds):
            files = self.folder.glob("[0-9a-f]*.json")
            self._found = {path.stem: read_object(path, MAX_BYTES) for path in files}
            self._looked_at = now
        return self._found

    def _file(self, node: str) -> Path:
        return self.folder / f"{node}.json"
