"""What a batch says while it runs: a live line a job on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, TaskID, TextColumn
from rich.progress import Progress as Bars
from rich.table import Column
from rich.text import Text

from job.batch.eta import Course
from job.reports.content import headline, leading_metrics, metric_value, outcome_words
from job.reports.escaping import json_document, terminal
from job.reports.formatting import plain
from job.results.records import Failure, JobResult, Progress, Report, SetAside

LINE_SECONDS = 30.0
"""How often the batch and each running job say how far they are where there is no terminal."""

EVENTS: dict[str, tuple[str, ...]] = {
    "begun": ("jobs",),
    "reused": ("job", "note"),
    "set_aside": ("job", "reason", "place"),
    "started": ("job",),
    "progress": (
        "job",
        "step",
        "steps",
        "loss",
        "token_accuracy",
        "examples_per_second",
        "seconds_left",
    ),
    "retried": ("job", "error"),
    "finished": ("job", "status", "judged", "metrics", "error"),
    "batch": ("jobs", "done", "failed", "running", "waiting", "seconds_left"),
    "ended": ("exit_code", "totals", "seconds", "report"),
}
"""Every event of `--log-format json` -> the keys that it has beside `time` and `event`."""


WIDE = 110
"""Columns of a terminal that has room for bars beside the numbers."""

TEXT_WIDTH = 62
"""Columns that a job's numbers may take: with six digits of steps, and hours left."""


class Log:
    """Told how a batch goes; says so line by line.

    Args:
        write: takes one line.
        machine: lines are JSON objects, see `EVENTS`.
    """

    def __init__(self, write: Callable[[str], None], *, machine: bool = False) -> None:
        self._write, self._machine = write, machine
        self._course = Course(0, time.monotonic())
        self._spoke = time.monotonic()

    def begun(self, jobs: int) -> None:
        """The batch has so many jobs."""
        self._course = Course(jobs, time.monotonic())
        self._say("begun", f"batch: {_count(jobs)}", jobs=jobs)

    def reused(self, name: str, note: str = "") -> None:
        """The job was done before; `note` says which of its files were missing."""
        self._course.reuse()
        text = f"{name}: already done, not trained again"
        self._say("reused", f"{text}; {note}" if note else text, job=name, note=note)

    def set_aside(self, aside: SetAside) -> None:
        """What lay in the job's place cannot be used, and was moved."""
        text = f"{aside.job}: what was there before is now in {aside.place}, because {aside.reason}"
        self._say("set_aside", text, **vars(aside))

    def started(self, name: str) -> None:
        """A worker took the job."""
        self._course.start(name)
        self._say("started", f"{name}: started", job=name)

    def advanced(self, name: str, step: Progress) -> None:
        """Training went on."""
        self._course.advance(name, step, time.monotonic())

    def retried(self, name: str, failure: Failure) -> None:
        """The job's worker was lost; it is tried again."""
        self._course.drop(name)
        text = f"{name}: {failure.summary.partition(';')[0]}; it is tried again"
        self._say("retried", text, job=name, error=failure.summary)

    def finished(self, result: JobResult) -> None:
        """The job has a result."""
        self._course.finish(result)
        text = f"{result.name}: {outcome_words(result)}"
        for name in leading_metrics([result]):
            text += f", {plain(name)} {metric_value(result, name, result.metrics[name])}"
        error = result.error.summary if result.error else None
        if result.error:  # the status says already that it was interrupted
            text += f": {result.error.message if result.status == 'interrupted' else error}"
        fields = {"status": result.status, "judged": result.judged, "metrics": result.metrics, "error": error}
        self._say("finished", text, job=result.name, **fields)

    def tick(self) -> None:
        """Say how far the running jobs and the batch are, every `LINE_SECONDS`."""
        now = time.monotonic()
        if now - self._spoke < LINE_SECONDS:
            return
        self._spoke = now
        for name in self._course.running:
            if step := self._course.last(name):
                left = self._course.job_seconds_left(name)
                text = f"{name}: {describe(step)}{_left(left)}"
                self._say("progress", text, job=name, **vars(step), seconds_left=_rounded(left))
        self._say_batch(now)

    def ended(self, report: Report, path: Path) -> None:
        """The batch is at its end and its report, at `path`, is written."""
        seconds = time.monotonic() - self._course.began_at
        text = f"batch: {headline(report)}, after {duration(seconds)}"
        fields = {"exit_code": report.exit_code, "totals": report.totals, "report": str(path)}
        self._say("ended", text, **fields, seconds=_rounded(seconds))

    def close(self) -> None:
        """Nothing more will come."""

    def _say_batch(self, now: float) -> None:
        course, left = self._course, self._course.seconds_left(now)
        self._say(
            "batch",
            f"batch: {standing(course)}{_left(left)}",
            jobs=course.jobs,
            done=course.done,
            failed=course.failed,
            running=len(course.running),
            waiting=course.waiting,
            seconds_left=_rounded(left),
        )

    def _say(self, event: str, text: str, **fields: Any) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        if self._machine:
            self._write(json_document(json.dumps({"time": now, "event": event, **fields})))
        else:
            self._write(terminal(f"{now} {text}"))


def describe(step: Progress) -> str:
    """Return a progress line's text."""
    accuracy = "" if step.token_accuracy is None else f"token accuracy {step.token_accuracy:.2%}, "
    speed = f"{step.examples_per_second:,.0f} examples/s"
    return f"step {step.step}/{step.steps}, loss {step.loss:.4f}, {accuracy}{speed}"


def standing(course: Course) -> str:
    """Return how many jobs are where: `3 of 8 jobs done (1 failed), 2 running, 3 waiting`."""
    failed = f" ({course.failed} failed)" if course.failed else ""
    parts = [f"{course.done} of {_count(course.jobs)} done{failed}"]
    counts = {"running": len(course.running), "waiting": course.waiting}
    parts += [f"{count} {name}" for name, count in counts.items() if count]
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """Return a duration in the unit that fits: `40 s`, `12 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _left(seconds: float | None) -> str:
    return f", about {duration(seconds)} left" if seconds else ""


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _count(jobs: int) -> str:
    return f"{jobs} job" if jobs == 1 else f"{jobs} jobs"


class LiveLog(Log):
    """The same for a person at a terminal: a bar for the batch and each running job, a line for each finished
    one.
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

    def begun(self, jobs: int) -> None:
        """Show the batch's bar."""
        self._course = Course(jobs, time.monotonic())
        self._batch = self._bars.add_task("batch", total=jobs, text="")

    def started(self, name: str) -> None:
        """Show a bar that does not move yet."""
        self._course.start(name)
        self._ids[name] = self._bars.add_task(self._label(name), total=None, text="starting")

    def _label(self, name: str) -> str:
        """Return a job's name, cut where there is no room for it: to something that no other bar has."""
        shown = {task.description for task in self._bars.tasks}
        label, number = _cut(terminal(name), self._name_width), 1
        while label in shown:
            number += 1
            label = f"{_cut(terminal(name), self._name_width - len(f'~{number}'))}~{number}"
        return label

    def advanced(self, name: str, step: Progress) -> None:
        """Move the bar."""
        super().advanced(name, step)
        accuracy = "" if step.token_accuracy is None else f"acc {step.token_accuracy:.1%}  "
        left = self._course.job_seconds_left(name)
        text = f"{step.step}/{step.steps}  loss {step.loss:.4f}  {accuracy}"
        text += f"{step.examples_per_second:,.0f}/s{_short_left(left)}"
        self._bars.update(self._ids[name], total=step.steps, completed=step.step, text=text)

    def retried(self, name: str, failure: Failure) -> None:
        """Take the bar away, until the job is started again, and leave a line."""
        self._bars.remove_task(self._ids.pop(name))
        super().retried(name, failure)

    def finished(self, result: JobResult) -> None:
        """Take the bar away and leave a line."""
        if result.name in self._ids:  # not while it waits to be tried again
            self._bars.remove_task(self._ids.pop(result.name))
        super().finished(result)

    def tick(self) -> None:
        """Move the batch's bar; the others move as their jobs do."""
        if self._batch is not None:
            course = self._course
            counts = (
                f"{course.done}/{course.jobs} done  {len(course.running)} running  {course.waiting} waiting"
            )
            counts += f"  {course.failed} failed" if course.failed else ""
            text = counts + _short_left(course.seconds_left(time.monotonic()))
            self._bars.update(self._batch, completed=course.done, text=text)

    def ended(self, report: Report, path: Path) -> None:
        """Nothing: the table that follows says it all."""

    def close(self) -> None:
        """Leave the terminal as it was."""
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
    """Cut a name in its middle: those that a matrix made begin alike, and differ at their ends too."""
    if len(name) <= width:
        return name
    head = (width - 1) // 3
    return f"{name[:head]}…{name[head + 1 - width :]}"


def _short_left(seconds: float | None) -> str:
    return f"  {duration(seconds)} left" if seconds else ""
