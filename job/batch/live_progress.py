"""The progress of a batch on a terminal: a bar for each running job."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from job.batch.eta import BatchEta
from job.batch.other_work import other_work
from job.batch.progress import NEW, Log
from job.batch.progress_text import batch_parts, fitting, progress_parts
from job.batch.short_names import short_name
from job.reports.escaping import terminal
from job.results.batch_report import Report
from job.results.job_result import Failure, JobResult, Progress
from job.spec.schema import JobSpec

BAR, WIDE_BAR = 10, 20
"""Columns of a bar: on a terminal of 80 columns, and on one of `WIDE`."""

WIDE = 120
"""From this number of columns on there is room for everything."""

MIN_NAME = 12
"""Columns that a name has on the narrowest terminal."""


def _text_width(width: int) -> int:
    """Return the columns of a job's numbers on a terminal of some width: those of steps with six digits."""
    return 76 if width >= WIDE else 64 if width >= 100 else 50


class LiveLog(Log):
    """A log on a terminal: a bar for the batch and for each running job, and a line for each finished job.

    Args:
        console: of the terminal.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(lambda line: self._bars.console.print(Text(line), soft_wrap=True))
        bar = WIDE_BAR if console.width >= WIDE else BAR
        room = console.width - bar - 2  # a column between two
        self._name_width = max(MIN_NAME, room - _text_width(console.width))
        self._text_width = max(1, room - self._name_width)
        columns: list[ProgressColumn] = [
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=bar),
            TextColumn("{task.fields[text]}", markup=False, table_column=Column(no_wrap=True)),
        ]
        self._bars = Bars(*columns, console=console, transient=True)
        self._ids: dict[str, TaskID] = {}
        self._batch: TaskID | None = None
        self._bars.start()

    def begun(self, jobs: int, costs: Mapping[str, float] | None = None) -> None:
        """Show a bar for the batch."""
        self._eta = BatchEta(jobs, time.monotonic(), costs or {})
        self._batch = self._bars.add_task("batch", total=jobs, text="")

    def planned(self, name: str, action: str, reason: str) -> None:
        """Write a line for a planned action; a new job gets only a bar."""
        if reason != NEW:
            super().planned(name, action, reason)

    def started(self, name: str, job: JobSpec | None = None) -> None:
        """Show a bar for the job, without progress."""
        self._eta.start(name, time.monotonic(), other_work(job))
        names = [terminal(other) for other in [*self._eta.costs, *self._ids]]
        shown = {task.description for task in self._bars.tasks}
        label = short_name(terminal(name), names, self._name_width, shown)
        self._ids[name] = self._bars.add_task(label, total=None, text="starting")

    def advanced(self, name: str, step: Progress) -> None:
        """Move the job's bar."""
        super().advanced(name, step)
        self._show(name, step)

    def _show(self, name: str, step: Progress) -> None:
        """Show the progress of a job and the time that it still takes."""
        left = self._eta.job_seconds_left(name, time.monotonic())
        text = fitting(progress_parts(step, left), self._text_width)
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
        """Move the batch's bar, and count down the time that jobs still take."""
        for name in self._ids:
            if step := self._eta.last_progress(name):
                self._show(name, step)
        if self._batch is not None:
            left = self._eta.seconds_left(time.monotonic())
            text = fitting(batch_parts(self._eta, left), self._text_width)
            self._bars.update(self._batch, completed=self._eta.done, text=text)

    def ended(self, report: Report, path: Path) -> None:
        """Write nothing: the table that follows has everything."""

    def close(self) -> None:
        """Restore the terminal."""
        self._bars.stop()
