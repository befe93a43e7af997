"""How the processes' parts in an attempt ended, and which of them made it fail.

A process that times out waiting for another one raises an error that seldom names it. The records that the
processes leave of their parts show which one failed: a killed worker, an error of its own, or no end.
"""

from __future__ import annotations

import json
import math
import re
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.cluster import Cluster
from job.batch.queue_nodes import LOOK_SECONDS, MAX_BYTES
from job.results.job_result import Failure
from job.storage.documents import read_object
from job.storage.exclusive import create_exclusively

PEER_ERRORS = frozenset(
    {
        "AbortedError",
        "CancelledError",
        "DeadlineExceededError",
        "FailedPreconditionError",
        "InternalError",
        "UnavailableError",
        "UnknownError",
    }
)
"""Exceptions of TensorFlow that a process raises when it waits in vain for another one."""

GRACE_SECONDS = 2.0
"""Time in which all processes that wait for the same one notice it, after the first of them."""

CONNECT_SECONDS = 2.0
"""Time in which a process must answer a connection to its address."""

_UNHEALTHY = re.compile(r"^/job:worker/replica:0/task:(\d+)$", re.MULTILINE)
_ABORTED = re.compile(
    r"^Collective ops is aborted by: *(?:Error reported from \S+: *)?(.+?):?$", re.MULTILINE
)


@dataclass
class ClusterParts:
    """The parts of all processes in the attempts of a batch.

    Args:
        cluster: the processes.
        folder: `queue/N/cluster`, with a file `KEY.RANK.ended` for each part that has ended.
        grace_seconds: see `GRACE_SECONDS`.
    """

    cluster: Cluster
    folder: Path
    grace_seconds: float = GRACE_SECONDS
    _failed: dict[str, tuple[float, str]] = field(default_factory=dict)
    _read: set[str] = field(default_factory=set)
    _looked_at: float = -math.inf

    def end(self, key: str, failure: Failure | None) -> None:
        """Leave how this process's part in an attempt ended."""
        record = {"failure": _reason(failure) if failure else None}
        with suppress(OSError):
            create_exclusively(self._file(key, self.cluster.rank), json.dumps(record).encode())

    def failed_for(self, key: str) -> float:
        """Return for how many seconds a part in an attempt is known to have failed; 0 if none has.

        The directory is read at most once in `LOOK_SECONDS`, and each file once.
        """
        now = time.monotonic()
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            for path in self.folder.glob("*.ended"):
                if path.name not in self._read and (record := read_object(path, MAX_BYTES)):
                    self._read.add(path.name)
                    self._note(path.name, record.get("failure"), now)
        return now - self._failed[key][0] if key in self._failed else 0.0

    def _note(self, name: str, failure: object, now: float) -> None:
        for rank in self._others:
            key = name.removesuffix(f".{rank}.ended")
            if key != name and isinstance(failure, str):
                self._failed.setdefault(key, (now, f"{self.cluster.name(rank)} ended with {failure}"))

    def hung(self, key: str) -> Failure:
        """Return the failure of an attempt whose failure this process's worker did not notice."""
        seconds = f"{self.failed_for(key):.0f} s"
        if clauses := [*self._clauses(key, of_errors=True)]:
            return Failure(
                "WorkerLost", f"{'; '.join(clauses)} ({self._own_name} did not notice it in {seconds})"
            )
        how = f"its worker hangs: it still ran {seconds} after {self._failed[key][1]}"
        return Failure("WorkerLost", f"{self._own_name}: {how}")

    def lost(self, failure: Failure) -> Failure:
        """Return the failure of an attempt in which this process's worker was lost."""
        return Failure(failure.type, f"{self._own_name}: {failure.message}")

    def not_joined(self, failure: Failure) -> Failure:
        """Return the failure of an attempt in which this process waited in vain for the others to begin."""
        silent = unreachable(self.cluster)
        if silent:
            return Failure("WorkerLost", f"{self._names(silent)} cannot be reached ({failure.summary})")
        return Failure("WorkerLost", f"a process of the cluster did not begin ({failure.summary})")

    def peer_failure(self, key: str, failure: Failure) -> Failure | None:
        """Return the failure of an attempt if another process made it fail: which one, as far as is known."""
        clauses = [*self._clauses(key, of_errors=False)]
        if clauses:
            return Failure("WorkerLost", f"{'; '.join(clauses)} ({_reason(failure)})")
        if failure.type not in PEER_ERRORS:
            return None
        named = {int(rank) for rank in _UNHEALTHY.findall(failure.message)} - {self.cluster.rank}
        named = {rank for rank in named if rank < len(self.cluster.addresses)}
        if not named:
            self._wait_for_others(key)
        clauses = [*self._clauses(key, of_errors=True)]
        if not clauses:
            named = named or set(self._others) - {*self._ended(key)}
            clauses = [f"{self._suspects(named)} was lost, hangs or cannot be reached"]
        return Failure("WorkerLost", f"{'; '.join(clauses)} ({_reason(failure)})")

    def _suspects(self, ranks: set[int]) -> str:
        """Return the names of processes of which one or all are lost, for a clause."""
        if not ranks:
            return "a process of the cluster"
        if len(ranks) > 1 and ranks == set(self._others):  # it may be this one whose network is cut
            return f"{self._own_name} or {self._names(sorted(ranks))}"
        return self._names(sorted(ranks))

    def _clauses(self, key: str, *, of_errors: bool) -> Iterator[str]:
        """Yield a clause for each process whose worker was lost, or that failed by an error of its own."""
        for rank, failure in self._ended(key).items():
            kind = (failure or "").partition(":")[0]
            if failure and (kind == "WorkerLost" or (of_errors and kind not in PEER_ERRORS)):
                yield f"{self.cluster.name(rank)}: {failure.removeprefix('WorkerLost: ')}"

    def _ended(self, key: str) -> dict[int, str | None]:
        """Return the failures of the parts that have ended, by rank; None of one that has not failed."""
        ended = {}
        for rank in self._others:
            if record := read_object(self._file(key, rank), MAX_BYTES):
                found = record.get("failure")
                ended[rank] = found if isinstance(found, str) else None
        return ended

    def _wait_for_others(self, key: str) -> None:
        deadline = time.monotonic() + self.grace_seconds
        while len(self._ended(key)) < len(self._others) and time.monotonic() < deadline:
            time.sleep(0.1)

    @property
    def _others(self) -> list[int]:
        return [rank for rank in range(len(self.cluster.addresses)) if rank != self.cluster.rank]

    @property
    def _own_name(self) -> str:
        return self.cluster.name(self.cluster.rank)

    def _names(self, ranks: Sequence[int]) -> str:
        return ", ".join(map(self.cluster.name, ranks))

    def _file(self, key: str, rank: int) -> Path:
        return self.folder / f"{key}.{rank}.ended"


def unreachable(cluster: Cluster, seconds: float = CONNECT_SECONDS) -> list[int]:
    """Return the numbers of the other processes whose addresses do not answer a connection in time."""
    missing = {rank for rank in range(len(cluster.addresses)) if rank != cluster.rank}
    connecting: dict[int, tuple[int, socket.socket]] = {}
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for rank in sorted(missing):
            host, _, port = cluster.addresses[rank].rpartition(":")
            with suppress(OSError):
                found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
                connection = stack.enter_context(socket.socket(found[0], socket.SOCK_STREAM))
                connection.setblocking(False)
                connection.connect_ex(found[4])
                selector.register(connection, selectors.EVENT_WRITE)
                connecting[connection.fileno()] = rank, connection
        deadline = time.monotonic() + seconds
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                rank, connection = connecting[key.fd]
                if connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                    missing.discard(rank)
                selector.unregister(connection)
    return sorted(missing)


def _reason(failure: Failure) -> str:
    """Return the summary of a failure; of an aborted operation the reason instead of its place."""
    if failure.type in PEER_ERRORS and (found := _ABORTED.search(failure.message)):
        return Failure(failure.type, found[1]).summary
    return failure.summary
