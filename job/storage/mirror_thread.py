"""A thread that keeps a store up to date while a batch runs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from job.storage.manifests import Manifest
from job.storage.mirror import Mirror

INTERVAL_SECONDS = 2.0
"""Time between two looks at the output directory."""

_MAX_SHARE = 20
"""Time between two looks, at least as a multiple of the time that one takes."""

IDLE_SECONDS = 60.0
"""At the end of a batch: time without any answer of the store after which uploading is given up."""

MAX_ROUNDS = 3
"""At the end of a batch: number of rounds in a row, each with retries, that upload nothing."""

_PAUSE_SECONDS = 0.5

STOPPED_SECONDS = 20.0
"""Time for uploads after a request to stop: for what the jobs have left, and once more for the reports."""


class MirrorThread:
    """A thread that uploads what has changed in an output directory, until it is finished.

    Args:
        mirror: used by this thread only.
        interval: time between two looks at the output directory, in seconds.
    """

    def __init__(self, mirror: Mirror, interval: float = INTERVAL_SECONDS) -> None:
        self._mirror, self._interval = mirror, interval
        self._changed = threading.Condition()
        self._asked, self._done = 0, 0
        self._closed = False
        self._problems: dict[str, str] = {}
        mirror.remote.pause = self._pause
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    def flush(self, stopped: Callable[[], bool], max_rounds: int = MAX_ROUNDS) -> list[str]:
        """Wait until everything that is now in the output directory is in the store.

        Args:
            stopped: whether there was a request to stop, after which there is little time.
            max_rounds: number of rounds in a row that upload nothing, after which uploading is given up.

        Returns:
            a sentence for each unit that is not in the store.
        """
        rounds, limit = 0, math.inf
        while True:
            verified, number = self._mirror.remote.verified, self.ask()
            moved, deadline = -1, math.inf
            while self._done < number and time.monotonic() < min(deadline, limit):
                if self._mirror.remote.moved_bytes != moved:
                    deadline, moved = time.monotonic() + IDLE_SECONDS, self._mirror.remote.moved_bytes
                if limit == math.inf and stopped():
                    limit = time.monotonic() + STOPPED_SECONDS
                time.sleep(0.02)
            if self._done < number:
                return sorted(set(self._problems.values())) or ["the store does not answer"]
            if not self._problems:
                return []
            rounds = rounds + 1 if self._mirror.remote.verified == verified else 0
            if rounds >= max_rounds or time.monotonic() >= limit:
                return sorted(set(self._problems.values()))
            time.sleep(_PAUSE_SECONDS)

    def learn(self, unit: str, manifest: Manifest | None) -> None:
        """Note what the store has of a unit, see `Mirror.learn`."""
        self._mirror.learn(unit, manifest)

    @property
    def verified(self) -> int:
        """Number of objects that were uploaded and verified so far."""
        return self._mirror.remote.verified

    def ask(self) -> int:
        """Ask for a round now, and return its number."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            return self._asked

    def close(self) -> None:
        """Ask the thread to end."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                waiting = max(self._interval, _MAX_SHARE * self._mirror.scan_seconds)
                self._changed.wait_for(lambda: self._closed or self._asked > self._done, waiting)
                if self._closed:
                    return
                asked = self._asked
            try:
                self._problems = self._mirror.sync(logs=asked > self._done)
            except Exception as error:  # a bug, or an unreadable directory: the batch goes on and reports it
                self._problems = {"": f"the output directory is not uploaded: {error!r}"}
            self._done = asked

    def _pause(self, seconds: float) -> None:
        """Wait before a retry, unless the thread is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)
