"""The program of the process that `live_process` starts: send points to MLflow while a batch runs.

It reads what the workers write, so that the batch never waits for it, and loads MLflow when there is the
first point.
"""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import yaml

from job.batch.heartbeat import HEARTBEAT_SECONDS, read_heartbeat, this_machine
from job.storage.artifacts import JobPaths, OutputPaths
from job.storage.documents import read_object, read_regular
from job.tracking.live_runs import LiveJob, LiveRuns

_NICE = 5
_LONGEST_PAUSE = 60.0


def main(root: str, shard: str, batch: str) -> int:
    """Send the points of all jobs that a process trains, until standard input ends, as it does with it.

    Args:
        root: the output directory.
        shard: the shard's label in the names of its reports; empty for a whole batch.
        batch: the id of the process that runs the batch.

    Returns:
        the exit code of the process.
    """
    os.nice(_NICE)
    follower = _Follower(OutputPaths(Path(root), shard), int(batch))
    while not select.select([sys.stdin.buffer], [], [], HEARTBEAT_SECONDS)[0]:
        follower.look()
    follower.close()
    return 0


class _Follower:
    """Follows the jobs of a batch; after a failure it looks anew at what the server has.

    Args:
        output: the output directory.
        batch: the id of the process that runs the batch.
    """

    def __init__(self, output: OutputPaths, batch: int) -> None:
        self._output, self._batch = output, batch
        self._runs: LiveRuns | None = None
        self._seen: dict[str, int] = {}
        self._pause, self._due = 0.0, 0.0

    def look(self) -> None:
        """Send what is new; if the server does not answer, back off exponentially."""
        if time.monotonic() < self._due:
            return
        try:
            for paths, version in self._changed():
                if (job := _live_job(paths)) is not None:
                    self._runs = self._runs or LiveRuns(self._output)
                    self._runs.send(job)
                self._seen[paths.directory.name] = version
            self._pause = 0.0
        except Exception:  # the run at the end logs everything, and reports what is wrong
            self._runs = None
            self._pause = min(_LONGEST_PAUSE, 2 * self._pause or HEARTBEAT_SECONDS)
            self._due = time.monotonic() + self._pause

    def _changed(self) -> Iterator[tuple[JobPaths, int]]:
        """Yield the jobs of this batch with new points, and the version of their file."""
        for file in sorted(self._output.jobs.glob(f"*/{JobPaths(Path()).live_history.name}")):
            paths = self._output.job(file.parent.name)
            heartbeat = read_heartbeat(paths)
            if heartbeat is None or (heartbeat.machine, heartbeat.pid) != (this_machine(), self._batch):
                continue  # another process of a queue follows it
            version = file.stat().st_mtime_ns
            if self._seen.get(file.parent.name) != version:
                yield paths, version

    def close(self) -> None:
        """End the runs of jobs that were stopped."""
        if self._runs is not None:
            self._runs.close()


def _live_job(paths: JobPaths) -> LiveJob | None:
    """Return a job that is being trained; None if it has just ended."""
    content = read_object(paths.live_history)
    if not content:
        return None
    spec = yaml.safe_load(read_regular(paths.spec))
    return LiveJob(
        name=paths.directory.name, training=content["training"], history=content["history"], spec=spec
    )
