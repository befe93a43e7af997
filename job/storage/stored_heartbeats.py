"""Heartbeats in a store: the `progress.json` of each running job, for `status` on another machine.

They are in a folder of their own, without manifests: losing one does no harm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from job.errors import StoreError
from job.storage.artifacts import OutputPaths
from job.storage.documents import open_regular
from job.storage.remote_files import RemoteFiles

FOLDER = "heartbeats"
"""The folder of a store that has a file for each running job."""

BEAT_SECONDS = 10.0
"""Seconds between two uploads of a job's heartbeat."""

_LOOK_SECONDS = 2.0
"""Seconds between two looks for jobs that have started or ended."""

_MAX_BYTES = 1 << 16


class HeartbeatUploads:
    """A thread that keeps the heartbeats of a process's jobs in a store, apart from the uploads of results.

    Args:
        output: the output directory.
        remote: the files of the store, used by this thread only; what fails is tried again with the next
            heartbeat.
        owned: whether a job is one of this process now.
    """

    def __init__(
        self, output: OutputPaths, remote: RemoteFiles, owned: Callable[[str], bool] = lambda name: True
    ) -> None:
        self._output, self._remote, self._owned = output, remote, owned
        self._ended = threading.Event()
        self._present: set[str] | None = None
        self._thread = threading.Thread(target=self._run, name="heartbeats", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Remove the heartbeats from the store, and end; nothing is waited for."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait for the end, for some seconds at most."""
        self._thread.join(seconds)

    def update(self, *, ended: bool = False) -> None:
        """Upload a heartbeat of each running job, and remove those of jobs that do not run."""
        with suppress(StoreError, OSError):
            if self._present is None:  # those that a killed process has left
                self._present = {name for name in stored_heartbeats(self._remote) if self._owned(name)}
            running = {} if ended else self._running()
            for name in sorted(self._present - running.keys()):
                if self._owned(name):  # else it is that of a machine that has taken the job over
                    self._remote.remove([_place(name)])
                self._present.discard(name)
            for name, path in running.items():
                with suppress(FileNotFoundError), open_regular(path) as file:
                    content = file.read(_MAX_BYTES)
                    self._present.add(name)
                    self._remote.put_bytes(_place(name), content)

    def _running(self) -> dict[str, Path]:
        """Return the heartbeats in the output directory, by job."""
        found = {path.parent.name: path for path in self._output.jobs.glob("*/progress.json")}
        return {name: path for name, path in sorted(found.items()) if self._owned(name)}

    def _run(self) -> None:
        seen, due = None, 0.0
        while not self._ended.is_set():
            running = self._running().keys()
            if running != seen or time.monotonic() >= due:
                self.update()
                seen, due = running, time.monotonic() + BEAT_SECONDS
            self._ended.wait(_LOOK_SECONDS)
        self.update(ended=True)


def stored_heartbeats(remote: RemoteFiles) -> dict[str, str]:
    """Return the paths of the heartbeats in a store, by job; raises `StoreError`."""
    return {
        path.removeprefix(f"{FOLDER}/").removesuffix(".json"): path
        for path in remote.paths_in(FOLDER)
        if path.endswith(".json")
    }


def _place(name: str) -> str:
    return f"{FOLDER}/{name}.json"
