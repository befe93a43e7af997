"""The progress log of a batch: a line for each event, as text or JSON. On a terminal see `live_progress`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from job.batch.eta import BatchEta
from job.batch.other_work import other_work
from job.batch.progress_text import count_jobs, describe_progress, job_counts, time_left
from job.reports.content import (
    column_title,
    headline,
    leading_metrics,
    measured,
    metric_value,
    outcome_words,
)
from job.reports.escaping import json_document, terminal
from job.results.batch_report import Report, SetAside
from job.results.job_result import Failure, JobResult, Progress
from job.spec.schema import JobSpec

LINE_SECONDS = 30.0
"""Interval of the lines that tell the progress of the batch and of each running job."""

EVENTS: dict[str, tuple[str, ...]] = {
    "begun": ("jobs",),
    "reused": ("job", "note", "action", "reason"),
    "planned": ("job", "action", "reason"),
    "set_aside": ("job", "reason", "place"),
    "started": ("job",),
    "progress": (
        "job",
        "step",
        "steps",
        "loss",
        "token_accuracy",
        "examples_per_second",
        "epoch",
        "epochs",
        "validation",
        "seconds_left",
    ),
    "retried": ("job", "error"),
    "finished": ("job", "status", "judged", "metrics", "error"),
    "batch": ("jobs", "done", "failed", "running", "elsewhere", "waiting", "seconds_left"),
    "ended": ("exit_code", "totals", "seconds", "report"),
}
"""By event of `--log-format json`: its keys besides `time` and `event`."""


DONE = "nothing that decides its result has changed"
"""Why a finished job is skipped."""

NEW = "it has no result yet"
"""Why a job is trained that no run has begun."""


class Log:
    """A progress log that writes a line for each event.

    Args:
        write: receives each line.
        machine: write JSON objects, see `EVENTS`, instead of text.
    """

    def __init__(self, write: Callable[[str], None], *, machine: bool = False) -> None:
        self._write, self._machine = write, machine
        self._eta = BatchEta(0, time.monotonic())
        self._logged_at = time.monotonic()

    def begun(self, jobs: int, costs: Mapping[str, float] | None = None) -> None:
        """Log the start of a batch with this number of jobs.

        Args:
            jobs: number of jobs.
            costs: estimated seconds of each, by name, on which the estimate of the time left builds.
        """
        self._eta = BatchEta(jobs, time.monotonic(), costs or {})
        self._log_event("begun", f"batch: {count_jobs(jobs)}", jobs=jobs)

    def reused(self, name: str, note: str = "", *, action: str = "skip", reason: str = DONE) -> None:
        """Log that a job was done before.

        Args:
            name: of the job.
            note: which of its missing files were restored, as a clause.
            action: `skip`, or `re-judge` if its gate has changed.
            reason: why, as a clause.
        """
        self._eta.reuse(name)
        text = f"{name}: {action}: {reason}" + (f"; {note}" if note else "")
        self._log_event("reused", text, job=name, note=note, action=action, reason=reason)

    def planned(self, name: str, action: str, reason: str) -> None:
        """Log what will be done for a job and why: `re-evaluate`, `resume` or `train`."""
        self._log_event("planned", f"{name}: {action}: {reason}", job=name, action=action, reason=reason)

    def set_aside(self, aside: SetAside) -> None:
        """Log that an earlier job directory cannot be used and was moved."""
        text = f"{aside.job}: what was there before is now in {aside.place}, because {aside.reason}"
        self._log_event("set_aside", text, **vars(aside))

    def started(self, name: str, job: JobSpec | None = None) -> None:
        """Log that a worker has taken a job.

        Args:
            name: of the job.
            job: its spec, for the estimate of the time left.
        """
        self._eta.start(name, time.monotonic(), other_work(job))
        self._log_event("started", f"{name}: started", job=name)

    def advanced(self, name: str, step: Progress) -> None:
        """Record the progress of a job; `tick` logs it."""
        self._eta.advance(name, step, time.monotonic())

    def decoded(self, name: str, share: float) -> None:
        """Record the share of a job's evaluation that is done."""
        self._eta.decoded(name, share, time.monotonic())

    def elsewhere(self, jobs: int) -> None:
        """Record the number of jobs that other nodes of a queue work on."""
        self._eta.elsewhere = jobs

    def retried(self, name: str, failure: Failure) -> None:
        """Log that a job's worker was lost and that the job is retried."""
        self._eta.requeue(name)
        text = f"{name}: {failure.summary.partition(';')[0]}; it is retried"
        self._log_event("retried", text, job=name, error=failure.summary)

    def finished(self, result: JobResult) -> None:
        """Log a job's result."""
        self._eta.finish(result, time.monotonic())
        text = f"{result.name}: {outcome_words(result)}"
        for name in leading_metrics([result]):
            value = measured(result, name)
            text += "" if value is None else f", {column_title(name)} {metric_value(result, name, value)}"
        error = result.error.summary if result.error else None
        if result.error:  # the status says already that it was interrupted
            text += f": {result.error.message if result.status == 'interrupted' else error}"
        fields = {"status": result.status, "judged": result.judged, "metrics": result.metrics, "error": error}
        self._log_event("finished", text, job=result.name, **fields)

    def tick(self) -> None:
        """Log the progress of running jobs and of the batch, once in `LINE_SECONDS`."""
        now = time.monotonic()
        if now - self._logged_at < LINE_SECONDS:
            return
        self._logged_at = now
        for name in self._eta.running:
            if step := self._eta.last_progress(name):
                left = self._eta.job_seconds_left(name, now)
                text = f"{name}: {describe_progress(step)}{time_left(left)}"
                fields = {key: value for key, value in vars(step).items() if key != "settled"}
                self._log_event("progress", text, job=name, **fields, seconds_left=_rounded(left))
        self._log_batch(now)

    def ended(self, report: Report, path: Path) -> None:
        """Log the end of a batch, whose report is at `path`."""
        seconds = time.monotonic() - self._eta.began_at
        text = f"batch: {headline(report)}, after {duration(seconds)}"
        fields = {"exit_code": report.exit_code, "totals": report.totals, "report": str(path)}
        self._log_event("ended", text, **fields, seconds=_rounded(seconds))

    def close(self) -> None:
        """Release the terminal; no more events follow."""

    def _log_batch(self, now: float) -> None:
        eta, left = self._eta, self._eta.seconds_left(now)
        self._log_event(
            "batch",
            f"batch: {job_counts(eta)}{time_left(left)}",
            jobs=eta.jobs,
            done=eta.done,
            failed=eta.failed,
            running=len(eta.running),
            elsewhere=eta.elsewhere,
            waiting=eta.waiting,
            seconds_left=_rounded(left),
        )

    def _log_event(self, event: str, text: str, **fields: Any) -> None:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        if self._machine:
            self._write(json_document(json.dumps({"time": now, "event": event, **fields})))
        else:
            self._write(terminal(f"{now} {text}"))


def duration(seconds: float) -> str:
    """Return a duration in the unit that fits: `40 s`, `12 min`, `2.5 h`."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)
