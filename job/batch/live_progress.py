"""The progress of a batch on a terminal: a bar for each running job."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from job.batch.eta import BatchEta
from job.batch.progress import NEW, Log
from job.reports.escaping import terminal
from job.reports.formatting import clock_time
from job.results.batch_report import Report
from job.results.job_result import Failure, JobResult, Progress

WIDE = 110
"""From this number of columns on a terminal has room for bars beside the numbers."""

TEXT_WIDTH = 64
"""Columns that a job's numbers need: with six digits of steps, and hours left."""


class LiveLog(Log):
    """A log on a terminal: a bar for the batch and for each running job, and a line for each finished job.

    Args:
        console: of the terminal.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(lambda line: self._bars.console.print(Text(line), soft_wrap=True))
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[text]}", markup=False),
        ]
        if console.width >= WIDE:
            columns.insert(1, BarColumn(bar_width=20))
        self._name_width = max(12, console.width - (TEXT_WIDTH + 22 if console.width >= WIDE else TEXT_WIDTH))
        self._bars = Bars(*columns, console=console, transient=True)
        self._ids: dict[str, TaskID] = {}
        self._batch: TaskID | None = None
        self._bars.start()

    def begun(self, jobs: int, costs: Mapping[str, float] | None = None) -> None:
        """Show a bar for the batch."""
        self._eta = BatchEta(jobs, time.monotonic(), costs or {})
        self._batch = self._bars.add_task("batch", total=jobs, text="")

    def planned(self, name: str, action: str, reason: str) -> None:
        """Write a line for what a change has led to; a new job's bar is enough."""
        if reason != NEW:
            super().planned(name, action, reason)

    def started(self, name: str) -> None:
        """Show a bar for the job, without progress."""
        self._eta.start(name)
        self._ids[name] = self._bars.add_task(self._label(name), total=None, text="starting")

    def _label(self, name: str) -> str:
        """Return a job's name, shortened to the width available and different from every other bar's."""
        shown = {task.description for task in self._bars.tasks}
        label, number = _cut(terminal(name), self._name_width), 1
        while label in shown:
            number += 1
            label = f"{_cut(terminal(name), self._name_width - len(f'~{number}'))}~{number}"
        return label

    def advanced(self, name: str, step: Progress) -> None:
        """Move the job's bar."""
        super().advanced(name, step)
        accuracy = "" if step.token_accuracy is None else f"acc {step.token_accuracy:.1%}  "
        left = self._eta.job_seconds_left(name)
        text = f"{step.step}/{step.steps}  loss {step.loss:.4f}  {accuracy}"
        text += f"{step.examples_per_second:,.0f}/s{_short_left(left)}"
        self._bars.update(self._ids[name], total=step.steps, completed=step.step, text=text)

    def retried(self, name: str, failure: Failure) -> None:
        """Remove the job's bar until it is started again, and write a line."""
        self._bars.remove_task(self._ids.pop(name))
        super().retried(name, failure)

    def finished(self, result: JobResult) -> None:
        """Remove the job's bar and write a line."""
        if result.name in self._ids:  # no bar while it waits to be retried
            self._bars.remove_task(self._ids.pop(result.name))
        super().finished(result)

    def tick(self) -> None:
        """Move the batch's bar; those of jobs move with their progress."""
        if self._batch is not None:
            eta = self._eta
            counts = f"{eta.done}/{eta.jobs} done  {len(eta.running)} running  {eta.waiting} waiting"
            counts += f"  {eta.failed} failed" if eta.failed else ""
            text = counts + _short_left(eta.seconds_left(time.monotonic()))
            self._bars.update(self._batch, completed=eta.done, text=text)

    def ended(self, report: Report, path: Path) -> None:
        """Write nothing: the table that follows has everything."""

    def close(self) -> None:
        """Restore the terminal."""
        self._bars.stop()


def open_log(log_format: str) -> Log:
    """Return a log on standard error: live bars on a terminal, lines elsewhere.

    Args:
        log_format: `text` or `json`.
    """
    if log_format == "text" and sys.stderr.isatty():
        return LiveLog(Console(stderr=True))
    return Log(lambda line: print(line, file=sys.stderr, flush=True), machine=log_format == "json")


def _cut(name: str, width: int) -> str:
    """Shorten a name in its middle: names made by a matrix begin alike and differ at their ends."""
    if len(name) <= width:
        return name
    head = (width - 1) // 3
    return f"{name[:head]}…{name[head + 1 - width :]}"


def _short_left(seconds: float | None) -> str:
    return f"  {clock_time(seconds)} left" if seconds else ""
