"""The command `status` on a terminal: a table, once or again and again until the batch has ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone

from rich.console import Console
from rich.text import Text

from job.batch.batch_status import BatchStatus, batch_status
from job.batch.gather import distinct
from job.batch.heartbeat import LOST_SECONDS
from job.batch.job_state import ENDED, JobStatus
from job.batch.job_status import StatusReader
from job.reports.escaping import terminal
from job.reports.formatting import clock_time, plain
from job.reports.tables import Column, print_table

WATCH_SECONDS = 2.0
"""Seconds between two looks of `--watch`, at least; a batch in a store has a heartbeat less often."""

_STYLES = {"failed": "red", "gate_failed": "yellow", "lost": "red", "passed": "green", "done": "green"}


def current_status(reader: StatusReader) -> BatchStatus:
    """Return the state of a batch now; raises as `StatusReader.read` does."""
    jobs, plan = reader.read(), reader.plan()
    return batch_status([job for job in jobs if job.name in plan], plan, distinct(reader.directories))


def watch_status(
    reader: StatusReader, console: Console | None, show: Callable[[BatchStatus], None] | None = None
) -> None:
    """Show the state of a batch again and again, until it has ended.

    It has ended when no job runs or waits; and if none has run for `LOST_SECONDS` while others wait.

    Args:
        reader: of the batch.
        console: to show a table on, which is cleared before each; None to call `show` instead.
        show: receives each state.
    """
    ran_at = time.monotonic()
    while True:
        found = current_status(reader)
        if console is not None:
            if console.is_terminal:
                console.clear()
            print_status(found, console)
        elif show is not None:
            show(found)
        ran_at = time.monotonic() if found.running else ran_at
        if found.ended or time.monotonic() - ran_at > LOST_SECONDS:
            return
        time.sleep(max(WATCH_SECONDS, reader.beat_seconds))


def print_status(found: BatchStatus, console: Console) -> None:
    """Print a row for each job, then a line for each reason and one for the batch."""
    columns = [Column("job"), Column("state"), Column("host")]
    columns += [Column(title, right=True) for title in ("step", "steps/s", "left", "heartbeat")]
    print_table(columns, [_row(job) for job in found.jobs], console)
    for job in found.jobs:
        if job.reason:
            console.print(Text(terminal(f"{job.name}: {job.reason}")), soft_wrap=True)
    console.print(Text(summary(found)), soft_wrap=True)


def summary(found: BatchStatus) -> str:
    """Return the state of a batch in one line."""
    total, failed = len(found.jobs), found.count("failed", "gate_failed")
    counts = [f"{found.count(*ENDED)} of {total} job{'' if total == 1 else 's'} ended"]
    counts[0] += f" ({failed} failed)" if failed else ""
    counts += [f"{found.running} running"] if found.running else []
    counts += [f"{n} {state}" for state in ("waiting", "interrupted", "lost") if (n := found.count(state))]
    left = f", {clock_time(found.eta_seconds)} left" if found.eta_seconds else ""
    return f"batch: {', '.join(counts)}{left}"


def _row(job: JobStatus) -> list[str | Text]:
    speed = job.steps_per_second
    return [
        job.name,
        Text(plain(job.state), style=_STYLES.get(job.state, "")),
        job.host or "",
        "" if job.step is None else f"{job.step:,}/{job.steps:,}" if job.steps else "starting",
        "" if speed is None else f"{speed:,.1f}" if speed < 100 else f"{speed:,.0f}",
        "" if job.eta_seconds is None else clock_time(job.eta_seconds),
        _age(job.heartbeat) if job.running or job.state == "lost" else "",
    ]


def _age(moment: str | None) -> str:
    """Return how long ago a heartbeat was written, by this machine's clock."""
    if moment is None:
        return ""
    at = datetime.fromisoformat(moment)
    at = at if at.tzinfo else at.replace(tzinfo=timezone.utc)
    return f"{clock_time(max(0.0, (datetime.now(timezone.utc) - at).total_seconds()))} ago"
