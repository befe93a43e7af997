"""Writing the heartbeats of the running jobs of a batch."""

from __future__ import annotations

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from statistics import median

from job.batch.decoding_pace import DecodingPace, next_decoding
from job.batch.heartbeat import HEARTBEAT_SECONDS, Heartbeat, this_machine
from job.batch.job_pace import JobPace, next_pace
from job.batch.other_work import other_work, seconds_to_evaluate_again
from job.results.job_result import JobResult, Progress
from job.running.task import Task
from job.storage.artifacts import OutputPaths, write_unsynced


@dataclass
class _Running:
    """A running job.

    Args:
        task: of the job.
        began_at: when it was started, in seconds of `time.monotonic`.
        pace: None before the first report of its progress.
        count: number of heartbeats so far.
        decoding: of its evaluation; None before the first report of that.
    """

    task: Task
    began_at: float
    pace: JobPace | None = None
    count: int = 0
    decoding: DecodingPace | None = None


@dataclass
class Heartbeats:
    """The heartbeats of the running jobs of a batch. A file that cannot be written is left out.

    They are in the directories of the jobs, also of those that are evaluated again in a temporary one.

    Args:
        output: the output directory.
        evaluated: how many times as long as expected the evaluation of a job took, by its name: in earlier
            runs, and in this one.
    """

    output: OutputPaths
    evaluated: dict[str, float] = field(default_factory=dict)
    _running: dict[str, _Running] = field(default_factory=dict)
    _written_at: float = -HEARTBEAT_SECONDS

    def start(self, task: Task) -> None:
        """Write the first heartbeat of a job."""
        self._running[task.job.name] = _Running(task, time.monotonic())
        self._write(self._running[task.job.name])

    def advance(self, name: str, progress: Progress) -> None:
        """Record the progress of a job; `beat` writes it."""
        if running := self._running.get(name):
            other = other_work(running.task.job)
            ratio = self.evaluated.get(name) or median(self.evaluated.values() or [1.0])
            other = replace(other, evaluation=other.evaluation * ratio)
            running.pace = next_pace(running.pace, progress, time.monotonic(), other)

    def decoded(self, name: str, share: float) -> None:
        """Record the share of the examples that a job's evaluation has decoded; `beat` writes it."""
        if running := self._running.get(name):
            running.decoding = next_decoding(
                running.decoding, share, time.monotonic(), other_work(running.task.job)
            )

    def finish(self, name: str) -> None:
        """End the heartbeats of a job that is evaluated, and note how long that took."""
        if (running := self._running.get(name)) and running.pace:
            expected = other_work(running.task.job).evaluation
            steps = running.pace.evaluation_steps(time.monotonic())
            if expected and steps is not None:
                self.evaluated[name] = steps / expected
        self.stop(name)

    def stop(self, name: str) -> None:
        """End the heartbeats of a job and remove the file."""
        if self._running.pop(name, None) is not None:
            with suppress(OSError):
                for path in self.output.job(name).passing:
                    path.unlink(missing_ok=True)

    def forget(self, name: str) -> None:
        """End the heartbeats of a job whose file is another machine's now."""
        self._running.pop(name, None)

    def beat(self) -> bool:
        """Write a heartbeat of every running job if it is time to; return whether it was."""
        due = time.monotonic() - self._written_at >= HEARTBEAT_SECONDS
        if due:
            self._written_at = time.monotonic()
            for running in self._running.values():
                self._write(running)
        return due

    def _write(self, running: _Running) -> None:
        running.count += 1
        trained = _steps(running.task.trained)
        heartbeat = Heartbeat(
            host=socket.gethostname(),
            pid=os.getpid(),
            heartbeat=datetime.now(timezone.utc).isoformat(timespec="seconds"),
            count=running.count,
            machine=this_machine(),
            shard=self.output.shard,
            attempt=running.task.attempt,
            fingerprint=running.task.fingerprint,
            step=trained,
            steps=trained,
        )
        now = time.monotonic()
        if running.pace is not None:
            heartbeat = _with_progress(heartbeat, running.pace, now)
        elif running.task.trained is not None:
            heartbeat = _with_evaluation(
                heartbeat, running.task, running.task.trained, now - running.began_at
            )
        if running.decoding is not None and running.decoding.share:
            heartbeat = replace(heartbeat, eta_seconds=_rounded(running.decoding.seconds_left(now)))
        with suppress(OSError, ValueError):  # ValueError: a loss that is not finite fails the job elsewhere
            text = json.dumps(asdict(heartbeat), indent=2, allow_nan=False) + "\n"
            write_unsynced(self._path(running), text)

    def _path(self, running: _Running) -> Path:
        return self.output.job(running.task.job.name).progress


def _steps(trained: JobResult | None) -> int:
    """Return the number of steps that a job was trained whose model is evaluated again; else 0."""
    return int((trained.history.get("step") or [0])[-1] or 0) if trained is not None else 0


def _with_evaluation(heartbeat: Heartbeat, task: Task, trained: JobResult, since: float) -> Heartbeat:
    """Add what is known of a job whose model is evaluated again.

    Args:
        heartbeat: of the job.
        task: of the job.
        trained: its earlier result.
        since: seconds since it was started.
    """
    seconds = seconds_to_evaluate_again(task.job, trained)
    total = trained.timings.get("total_seconds")
    return replace(
        heartbeat,
        eta_seconds=_rounded(seconds and seconds - since),
        done=max(0.0, 1 - seconds / total) if seconds and total else 1.0,
        evaluating_seconds=round(since, 1),
    )


def _rounded(left: float | None) -> float | None:
    """Return a time left in tenths; None if it is not known, or over although the job goes on."""
    return round(left, 1) or None if left is not None and left > 0 else None


def _with_progress(heartbeat: Heartbeat, pace: JobPace, now: float) -> Heartbeat:
    speed, total = pace.steps_per_second(), pace.total_seconds()
    return replace(
        heartbeat,
        step=pace.last.step,
        steps=pace.last.steps,
        steps_per_second=None if speed is None else round(speed, 3),
        eta_seconds=_rounded(pace.seconds_left(now)),
        total_seconds=None if total is None else round(total, 1),
        done=round(pace.done, 6),
        evaluating_seconds=round(now - pace.last_at, 1) if pace.evaluating else None,
        loss=pace.last.loss,
        token_accuracy=pace.last.token_accuracy,
        validation=dict(pace.last.validation),
    )
