"""A batch that several nodes work on, with the files in `queue/` by which they share it.

No clock is compared with another: a node has a file with a count that grows, and is lost for those who have
not seen it grow for a while, by their own clock. Nothing is locked, since locks do not work on every file
system that machines share:

- `queue/batch-N.json`: a batch, created by its first node; the largest N counts
- `queue/N/nodes/ID.json`: the count of a node, and whether it has left
- `queue/N/leases/JOB.NUMBER`: a lease of a job, see `job.storage.lease`
- `queue/N/ended/JOB`: a job that has a result in this batch
"""

from __future__ import annotations

import json
import math
import os
import re
import secrets
import shutil
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from job.errors import OutputError
from job.results.batch_report import SetAside
from job.storage.artifacts import OutputPaths, write_unsynced
from job.storage.documents import read_json
from job.storage.exclusive import create_exclusively
from job.storage.lease import Lease, lease_numbers

_MAX_BYTES = 1 << 16


@dataclass(frozen=True)
class Ended:
    """A job that has a result in this batch.

    Args:
        reused: whether it was done before the batch began.
        failed: whether it is to be run again by the next batch: it has failed or was cancelled.
        set_aside: what was in the place of its directory, if anything was.
    """

    reused: bool = False
    failed: bool = False
    set_aside: tuple[SetAside, ...] = ()


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
class QueueBatch:
    """One node's view of a batch.

    Args:
        folder: `queue/N`.
        began_at: when the batch began, by the clock of its first node.
        lease_seconds: time after which a node whose count has not grown is lost.
        node: id of this node.
    """

    folder: Path
    began_at: datetime
    lease_seconds: float
    node: str = field(default_factory=lambda: secrets.token_hex(8))
    _count: int = 0
    _beaten_at: float = -math.inf
    _seen: dict[str, _Seen] = field(default_factory=dict)

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
        record = {"count": self._count, "left": left, "host": socket.gethostname(), "pid": os.getpid()}
        with suppress(OSError):  # a node that cannot write is lost for the others, and notices that
            write_unsynced(self._node_file(self.node), json.dumps(record) + "\n")
            for node, count in self._counts().items():  # also while there is no job to take
                self._is_lost(node, count)
        return True

    def take(self, name: str) -> Lease | None:
        """Return a lease of a job that no living node works on; None if one does, or if it has ended.

        Raises:
            OSError: the directory cannot be read or written to.
        """
        path = self.folder / "leases" / name
        numbers = lease_numbers(path)
        last = Lease(path, numbers[-1]) if numbers else None
        if last is not None and not self._is_free(last):
            return None
        lease = Lease(path, last.number + 1 if last else 1)
        taken = create_exclusively(lease.file, json.dumps({"node": self.node}).encode())
        return lease if taken else None

    def end(self, name: str, ended: Ended) -> None:
        """Record that a job has a result; raises `OSError`."""
        create_exclusively(self.folder / "ended" / name, json.dumps(asdict(ended)).encode())

    def ended(self) -> set[str]:
        """Return the names of the jobs that have ended; raises `OSError`."""
        return {name for name in os.listdir(self.folder / "ended") if not name.startswith(".")}

    def read_ended(self, name: str) -> Ended:
        """Return what is recorded of a job that has ended; what cannot be read is left out."""
        record = _read(self.folder / "ended" / name)
        asides = record.get("set_aside", [])
        with suppress(TypeError):
            found = tuple(SetAside(**aside) for aside in asides)
            return Ended(record.get("reused") is True, record.get("failed") is True, found)
        return Ended()

    def _is_free(self, lease: Lease) -> bool:
        """Return whether the node that has a lease has left, or is lost."""
        node = _read(lease.file).get("node", "")
        node = node if isinstance(node, str) and re.fullmatch("[0-9a-f]{16}", node) else ""
        if node == self.node:
            return False
        record = _read(self._node_file(node)) if node else {}
        return record.get("left") is True or self._is_lost(node or str(lease.file), record.get("count"))

    def _is_lost(self, node: str, count: object) -> bool:
        """Return whether a node's count was seen not to grow for `lease_seconds`.

        If this process was suspended, only a part of that time counts: the other may have been, too.
        """
        now, seen = time.monotonic(), self._seen.get(node)
        if seen is None or seen.count != count:
            self._seen[node] = _Seen(count, now)
            return False
        seen.unchanged += min(now - seen.at, self.lease_seconds / 3)
        seen.at = now
        return seen.unchanged >= self.lease_seconds

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
        return False

    def _counts(self) -> dict[str, object]:
        """Return the counts of the nodes that have not left, by id."""
        records = {path.stem: _read(path) for path in (self.folder / "nodes").glob("[0-9a-f]*.json")}
        return {node: r.get("count") for node, r in records.items() if r.get("left") is not True}

    @property
    def abandoned(self) -> bool:
        """Whether every node of the batch has left."""
        return any((self.folder / "nodes").glob("[0-9a-f]*.json")) and not self._counts()

    def to_repeat(self, names: Collection[str]) -> bool:
        """Return whether all of these jobs have ended, and one is to be run again by the next batch."""
        ended = self.ended()
        return ended.issuperset(names) and any(self.read_ended(name).failed for name in names)

    def _node_file(self, node: str) -> Path:
        return self.folder / "nodes" / f"{node}.json"


def join_batch(output: OutputPaths, plan: str, names: Collection[str], lease_seconds: float) -> QueueBatch:
    """Join the batch that nodes work on in an output directory; begin one if there is none.

    A batch that all nodes have left is over. One whose nodes were all lost goes on, so that what has failed
    in it is not run again; unless every job has ended.

    Args:
        output: prepared and locked.
        plan: fingerprint of the plan: all nodes must have the same.
        names: of the jobs of the batch.
        lease_seconds: see `QueueBatch`.

    Raises:
        OutputError: other nodes work on another plan.
        OSError: the directory cannot be read or written to.
    """
    output.queue.mkdir(exist_ok=True)
    while True:
        number = max(_numbers(output), default=0)
        if number and (joined := _open(output, number, lease_seconds)) and not joined.abandoned:
            same = _read(_pointer(output, number)).get("plan") == plan
            if same and not (joined.to_repeat(names) and not joined.others_live()):
                joined.beat()
                if max(_numbers(output)) == number:
                    return joined
                continue
            if not same and joined.others_live():
                raise OutputError(
                    f"output directory {output.root} is in use by nodes that run another spec, or other jobs "
                    "of it: run the same command on all nodes, or choose another directory with --output-dir"
                )
        _begin(output, number + 1, plan)
        if max(_numbers(output)) == number + 1:
            for old in range(1, number):
                _pointer(output, old).unlink(missing_ok=True)
                shutil.rmtree(output.queue / str(old), ignore_errors=True)


def _begin(output: OutputPaths, number: int, plan: str) -> None:
    for name in ("nodes", "leases", "ended"):
        (output.queue / str(number) / name).mkdir(parents=True, exist_ok=True)
    record = {"plan": plan, "began": datetime.now(timezone.utc).isoformat(timespec="seconds")}
    create_exclusively(_pointer(output, number), json.dumps(record).encode())


def _open(output: OutputPaths, number: int, lease_seconds: float) -> QueueBatch | None:
    folder = output.queue / str(number)
    try:
        began = datetime.fromisoformat(str(_read(_pointer(output, number)).get("began")))
    except ValueError:
        return None
    began = began if began.tzinfo else began.replace(tzinfo=timezone.utc)
    return QueueBatch(folder, began, lease_seconds) if folder.is_dir() else None


def _pointer(output: OutputPaths, number: int) -> Path:
    return output.queue / f"batch-{number}.json"


def _numbers(output: OutputPaths) -> list[int]:
    found = (re.fullmatch(r"batch-(\d{1,9})\.json", name) for name in os.listdir(output.queue))
    return [int(match[1]) for match in found if match]


def _read(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; {} if there is none, or if it is damaged."""
    try:
        value = read_json(path, _MAX_BYTES)
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
