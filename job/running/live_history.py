"""`live_history.json`: the history of a job that is being trained, for a tracker that follows it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress

from job.running.history_files import history_columns
from job.running.task import Task
from job.storage.artifacts import write_unsynced
from job.training.history import HistoryRow

LIVE_SECONDS = 2.0
"""Shortest time between two versions of the file."""


class LiveHistory:
    """Writes the history of a training so far; a file that cannot be written is left out.

    The columns are those of the result, so that what a tracker has read is part of what the result has.

    Args:
        task: the job.
    """

    def __init__(self, task: Task) -> None:
        self._task, self._due = task, 0.0
        self._last: HistoryRow | None = None

    def __call__(self, history: Sequence[HistoryRow]) -> None:
        """Write the file if there is something new and it is time to."""
        if not history or history[-1] == self._last or time.monotonic() < self._due:
            return
        self._last, self._due = history[-1], time.monotonic() + LIVE_SECONDS
        content = {"training": self._task.training_fingerprint, "history": history_columns(history)}
        with suppress(OSError):
            write_unsynced(self._task.paths.live_history, json.dumps(content) + "\n")
