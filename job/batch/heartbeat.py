"""`progress.json`: a sign of life in the directory of each running job, for `status` on any machine.

The process that runs a batch writes it every few seconds, and removes it when the job has a result. It is the
only file of a job directory that is not synced to disk: losing one does no harm.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from job.results.reading import SCHEMA_VERSION, validated
from job.storage.artifacts import JobPaths
from job.storage.documents import read_json

HEARTBEAT_SECONDS = 2.0
"""Seconds between two heartbeats."""

LOST_SECONDS = 60.0
"""A job whose heartbeat is older than this is lost. File servers may show a file half a minute late."""

MAX_BYTES = 1 << 16
"""Maximum size of a heartbeat that is read; one has a few hundred bytes."""


@dataclass(frozen=True, kw_only=True)
class Heartbeat:
    """The content of `progress.json`.

    Args:
        host, pid: the process that runs the batch.
        machine: see `this_machine`.
        shard: label of the shard, such as `2-of-4`; '' for a whole batch.
        heartbeat: when this was written, ISO 8601, UTC, by the clock of `host`.
        count: number of heartbeats of the job so far: it grows while the process lives.
        attempt: number of the attempt, from 1.
        fingerprint: of the job.
        step, steps: training steps taken, and all; 0 before the first is reported. Where they are equal, the
            model is being evaluated.
        steps_per_second: None until it is known.
        eta_seconds: how long the job still takes, with its evaluation; None until it is known, and once it
            has taken longer.
        total_seconds: how long the whole job takes, with its evaluation; None until it is known.
        done: the share of its work that is done, 0 to 1, where validation and evaluation are work too.
        evaluating_seconds: how long the model has been evaluated; None before.
        loss, token_accuracy: of the last steps.
        validation: see `Progress`.
    """

    host: str
    pid: int
    heartbeat: str
    count: int
    machine: str
    shard: str
    attempt: int
    fingerprint: str
    step: int = 0
    steps: int = 0
    steps_per_second: float | None = None
    eta_seconds: float | None = None
    total_seconds: float | None = None
    done: float = 0.0
    evaluating_seconds: float | None = None
    loss: float | None = None
    token_accuracy: float | None = None
    validation: dict[str, float] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def at(self) -> datetime:
        """When it was written."""
        moment = datetime.fromisoformat(self.heartbeat)
        return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


@cache
def this_machine() -> str:
    """Return what two processes have in common if and only if they see each other's process ids and clock.

    '' where the system does not tell. Host names do not: containers may share one.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except (OSError, ValueError):
        return ""


@cache
def _reader() -> TypeAdapter[Heartbeat]:
    return TypeAdapter(Heartbeat)


def read_heartbeat(paths: JobPaths) -> Heartbeat | None:
    """Return a job's heartbeat; None if there is none, or if the file holds anything else."""
    try:
        found = validated(_reader(), read_json(paths.progress, MAX_BYTES))
        return found if found.at else None
    except (OSError, ValueError):
        return None


def is_recent(heartbeat: Heartbeat) -> bool:
    """Return whether a heartbeat is recent by this machine's clock, and its process not known to be gone."""
    age = (datetime.now(timezone.utc) - heartbeat.at).total_seconds()
    return abs(age) <= LOST_SECONDS and not _is_gone(heartbeat)


def _is_gone(heartbeat: Heartbeat) -> bool:
    """Return whether the process was one of this machine, and has ended."""
    if not heartbeat.machine or heartbeat.machine != this_machine():
        return False
    try:
        os.kill(heartbeat.pid, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
