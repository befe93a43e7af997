"""What a batch says while it runs: a live line a job on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from job.reports.wording import leading_metrics, measured, plain
from job.results import Failure, JobResult, Progress

LINE_SECONDS = 30.0
"""How often a running job says how far it is where there is no terminal."""


class Log:
    """Told how a batch goes; says so line by line.

    Args:
        write: takes one line.
        machine: lines are JSON objects.
    """

    def __init__(self, write: Callable[[str], None], *, machine: bool = False) -> None:
        self._write, self._machine = write, machine
        self._running: dict[str, Progress | None] = {}
        self._spoke = time.monotonic()

    def started(self, name: str) -> None:
        """A worker took the job."""
        self._running[name] = None
        self._say("started", name, "started")

    def advanced(self, name: str, step: Progress) -> None:
        """Training went on."""
        self._running[name] = step

    def retried(self, name: str, failure: Failure) -> None:
        """The job's worker was lost; it is tried again."""
        self._running.pop(name, None)
        self._say("retried", name, f"{failure.summary.partition(';')[0]}; it is tried again")

    def finished(self, result: JobResult) -> None:
        """The job has a result."""
        self._running.pop(result.name, None)
        text = result.status.replace("_", " ")
        for name in leading_metrics([result]):
            text += f", {plain(name)} {measured(result, name, result.metrics[name])}"
        text += f": {result.error.summary}" if result.error else ""
        self._say("finished", result.name, text, status=result.status, metrics=result.metrics)

    def reused(self, name: str) -> None:
        """The job was done before."""
        self._say("reused", name, "already done, not trained again")

    def tick(self) -> None:
        """Say how far the running jobs are, every `LINE_SECONDS`."""
        if time.monotonic() - self._spoke < LINE_SECONDS:
            return
        self._spoke = time.monotonic()
        for name, step in self._running.items():
            if step is not None:
                self._say("progress", name, describe(step), **vars(step))

    def close(self) -> None:
        """Nothing more will come."""

    def _say(self, event: str, name: str, text: str, **fields: Any) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        if self._machine:
            self._write(json.dumps({"time": now, "event": event, "job": name, **fields}))
        else:
            self._write(f"{now} {name}: {text}")


def describe(step: Progress) -> str:
    """Return a progress line's text."""
    accuracy = "" if step.token_accuracy is None else f"token accuracy {step.token_accuracy:.2%}, "
    speed = f"{step.examples_per_second:,.0f} examples/s"
    return f"step {step.step}/{step.steps}, loss {step.loss:.4f}, {accuracy}{speed}"


class LiveLog(Log):
    """The same for a person at a terminal: a bar for each running job, a line for each finished one."""

    def __init__(self, console: Console) -> None:
        super().__init__(lambda line: self._bars.console.print(Text(line), soft_wrap=True))
        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(),
        )
        self._bars = Bars(*columns, console=console, transient=True)
        self._ids: dict[str, TaskID] = {}
        self._bars.start()

    def started(self, name: str) -> None:
        """Show a bar that does not move yet."""
        self._running[name] = None
        self._ids[name] = self._bars.add_task(name, total=None, text="starting")

    def advanced(self, name: str, step: Progress) -> None:
        """Move the bar."""
        accuracy = "" if step.token_accuracy is None else f"acc {step.token_accuracy:.1%}  "
        text = f"loss {step.loss:.4f}  {accuracy}{step.examples_per_second:,.0f}/s"
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
        """Nothing: the bars say it all."""

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._bars.stop()
