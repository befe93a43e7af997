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

from job.batch.heartbeat import HEARTBEAT_SECONDS, Heartbeat, this_machine
from job.batch.job_pace import JobPace, next_pace, other_work
from job.results.job_result import JobResult, Progress
from job.running.task import Task
from job.storage.artifacts import OutputPaths, write_unsynced


@dataclass
class _Running:
    """A running job.

    Args:
        task: of the job.
        pace: None before the first report of its progress.
        count: number of heartbeats so far.
    """

    task: Task
    pace: JobPace | None = None
    count: int = 0


@dataclass
class Heartbeats:
    """The heartbeats of the running jobs of a batch. A file that cannot be written is left out.

    They are in the directories of the jobs, also of those that are evaluated again in a temporary one.

    Args:
        output: the output directory.
    """

    output: OutputPaths
    _running: dict[str, _Running] = field(default_factory=dict)
    _written_at: float = -HEARTBEAT_SECONDS

    def start(self, task: Task) -> None:
        """Write the first heartbeat of a job."""
        self._running[task.job.name] = _Running(task)
        self._write(self._running[task.job.name])

    def advance(self, name: str, progress: Progress) -> None:
        """Record the progress of a job; `beat` writes it."""
        if running := self._running.get(name):
            other = other_work(running.task.job)
            running.pace = next_pace(running.pace, progress, time.monotonic(), other)

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
        if running.pace is not None:
            heartbeat = _with_progress(heartbeat, running.pace)
        with suppress(OSError, ValueError):  # ValueError: a loss that is not finite fails the job elsewhere
            text = json.dumps(asdict(heartbeat), indent=2, allow_nan=False) + "\n"
            write_unsynced(self._path(running), text)

    def _path(self, running: _Running) -> Path:
        return self.output.job(running.task.job.name).progress


def _steps(trained: JobResult | None) -> int:
    """Return the number of steps that a job was trained whose model is evaluated again; else 0."""
    return int((trained.history.get("step") or [0])[-1] or 0) if trained is not None else 0


def _with_progress(heartbeat: Heartbeat, pace: JobPace) -> Heartbeat:
    speed, left = pace.steps_per_second(), pace.seconds_left(time.monotonic())
    return replace(
        heartbeat,
        step=pace.last.step,
        steps=pace.last.steps,
        steps_per_second=None if speed is None else round(speed, 3),
        eta_seconds=None if left is None else round(left, 1),
        loss=pace.last.loss,
        token_accuracy=pace.last.token_accuracy,
        validation=dict(pace.last.validation),
    )
