"""The choice of a run's progress log: live bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys

from rich.console import Console

from job.batch.live_progress import LiveLog
from job.batch.progress import Log


def open_log(log_format: str) -> Log:
    """Return a log on standard error: live bars on a terminal, lines elsewhere.

    Args:
        log_format: `text` or `json`.
    """
    if log_format == "text" and sys.stderr.isatty():
        return LiveLog(Console(stderr=True))
    return Log(lambda line: print(line, file=sys.stderr, flush=True), machine=log_format == "json")
