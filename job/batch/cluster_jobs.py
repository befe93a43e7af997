"""The jobs of a batch that all processes of a cluster train together, after all other jobs have ended.

The chief takes such a job like any other, also if its model is only evaluated again. In the directory
`queue/N/cluster` it then leaves a file for each attempt, which the others wait for: each starts a worker that
takes part in it. How these parts ended is left there, too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.cluster import Cluster
from job.batch.cluster_parts import GRACE_SECONDS, ClusterParts
from job.batch.queue_batch import QueueBatch
from job.batch.queue_nodes import MAX_BYTES, QueueNodes
from job.process.stopping import Request, Stop
from job.running.task import ClusterPlace, Task
from job.storage.documents import read_object
from job.storage.exclusive import create_exclusively

HANG_SECONDS = 60.0
"""Time after which the chief's worker must have noticed that another process's part has failed."""


@dataclass
class ClusterJobs:
    """The jobs of a cluster, as one of its processes sees them.

    Args:
        cluster: the processes.
        folder: `queue/N/cluster`.
        nodes: the processes' heartbeats.
        stop: the request to stop, which one process passes on to all.
        parts: how the processes' parts in each attempt ended.
    """

    cluster: Cluster
    folder: Path
    nodes: QueueNodes
    stop: Stop
    parts: ClusterParts = field(init=False)
    _joined: set[str] = field(default_factory=set)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        grace = min(GRACE_SECONDS, self.nodes.lease_seconds / 3)
        self.parts = ClusterParts(self.cluster, self.folder, grace)
        self._began = time.monotonic()

    def place(self, key: str) -> ClusterPlace:
        """Return the place of this process in an attempt."""
        return ClusterPlace(rank=self.cluster.rank, variables=self.cluster.variables, key=key)

    def announce(self, task: Task) -> None:
        """Tell the other processes that an attempt begins; for the chief.

        Raises:
            OSError: the file cannot be written.
        """
        self.folder.mkdir(exist_ok=True)
        record = {} if task.trained is None else {"evaluated": task.paths.directory.name}
        create_exclusively(self.folder / f"{attempt_key(task)}.begun", json.dumps(record).encode())

    def evaluated(self, key: str) -> str | None:
        """Return the name of the directory in `jobs/` whose model an attempt evaluates; None if it trains."""
        name = read_object(self.folder / f"{key}.begun", MAX_BYTES).get("evaluated")
        return name if isinstance(name, str) and name == Path(name).name else None

    def announced(self, name: str) -> str | None:
        """Return the key of the newest attempt of a job, if this process has not joined it, else None."""
        return self.newest(name, self.begun())

    def begun(self) -> list[str]:
        """Return the keys of the attempts of all jobs that have begun; this reads the shared directory."""
        return [path.stem for path in self.folder.glob("*.begun")]

    def newest(self, name: str, begun: Iterable[str]) -> str | None:
        """Return the same as `announced`, from keys that have been read.

        Args:
            name: the job.
            begun: see `begun`.
        """
        keys = [key for key in begun if key.rpartition(".")[0] == name]
        newest = max(keys, key=lambda key: int(key.rpartition(".")[2]), default=None)
        return None if newest in self._joined else newest

    def join(self, key: str) -> None:
        """Note that this process takes part in an attempt."""
        self._joined.add(key)

    def missing(self) -> str:
        """Return a clause about a process that has no heartbeat; '' if all have one.

        A process that has not been seen yet has as long to come as one that is lost. None is missing once one
        has told of a request to stop: they all leave, and the first may have left before the others know.
        """
        live, waited = self.nodes.live_ranks(), time.monotonic() - self._began
        if self.nodes.told_stop() is not None:
            return ""
        for rank in range(len(self.cluster.addresses)):
            if rank in live:
                continue
            if rank in self.nodes.seen_ranks or waited > self.nodes.lease_seconds:
                seconds = f"{self.nodes.lease_seconds:g} s"
                return f"{self.cluster.name(rank)} has ended, or had no heartbeat for {seconds}"
        return ""

    def follow_stop(self) -> None:
        """Pass a request to stop on to the other processes, and theirs to this one."""
        request = self.stop.request
        if request is not None:
            self.nodes.tell_stop(request.cause, request.exit_code)
            return
        found = self.nodes.told_stop()
        if found is not None:
            cause, code = found
            self.stop.ask(Request(cause, code))


def join_processes(cluster: Cluster, batch: QueueBatch, stop: Stop) -> ClusterJobs:
    """Return the jobs that the processes of a cluster train together in a batch; the others see this process.

    Args:
        cluster: the processes.
        batch: the batch that this process has joined.
        stop: the request to stop.
    """
    batch.nodes.rank = cluster.rank
    jobs = ClusterJobs(cluster, batch.folder / "cluster", batch.nodes, stop)
    jobs.follow_stop()  # requests of earlier runs do not count
    return jobs


def attempt_key(task: Task) -> str:
    """Return what identifies an attempt of a job for all processes: its name, lease and attempt number."""
    lease = task.lease.number if task.lease is not None else 0
    return f"{task.job.name}.{lease * 1000 + task.attempt}"
