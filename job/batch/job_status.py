"""The state of each job of a batch, read from its output directories by any process on any machine.

Nothing is written, and no file that is damaged, half written or gone between two looks is an error.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

from job.batch.final_result import CANCELLED
from job.batch.gather import common_plan, distinct
from job.batch.heartbeat import HEARTBEAT_SECONDS, Heartbeat, read_heartbeat, this_machine
from job.batch.judging import judge_by_plan
from job.batch.resume import read_recorded_result
from job.errors import JobError
from job.gating.plan_file import PlanEntry
from job.results.job_result import JobResult
from job.storage.artifacts import JobPaths, OutputPaths
from job.training.checkpoints import checkpointed_fingerprints

LOST_SECONDS = 60.0
"""A job whose heartbeat is older than this is lost. File servers may show a file half a minute late."""

State = Literal[
    "waiting",
    "training",
    "evaluating",
    "done",
    "passed",
    "gate_failed",
    "failed",
    "interrupted",
    "cancelled",
    "lost",
]

RUNNING: tuple[State, ...] = ("training", "evaluating")
ENDED: tuple[State, ...] = ("done", "passed", "gate_failed", "failed", "cancelled")
"""States in which a job stays until the batch is run again."""

_FURTHEST: tuple[State, ...] = (
    "passed",
    "gate_failed",
    "done",
    "evaluating",
    "training",
    "failed",
    "cancelled",
    "interrupted",
    "lost",
    "waiting",
)
"""Of a job in several directories, the first of these states counts."""


@dataclass(frozen=True, kw_only=True)
class JobStatus:
    """The state of one job.

    Args:
        name: of the job.
        state: `done` is a trained job without a gate; `lost`: its heartbeats have ended without a result.
        host: the machine that runs it, or ran it when it was lost.
        step, steps: training steps taken, and all.
        steps_per_second, eta_seconds: of the training; None until they are known.
        heartbeat: when the last sign of life was written, ISO 8601.
        reason: why it failed, or is unfinished, in one line.
        shard: that runs it, such as `2-of-4`; None if none does.
        seconds: how long a finished job took.
    """

    name: str
    state: State
    host: str | None = None
    step: int | None = None
    steps: int | None = None
    steps_per_second: float | None = None
    eta_seconds: float | None = None
    heartbeat: str | None = None
    reason: str | None = None
    shard: str | None = None
    seconds: float | None = None

    @property
    def running(self) -> bool:
        """Whether a machine runs it."""
        return self.state in RUNNING

    @property
    def trained(self) -> float:
        """The share of its steps that it has trained, 0 to 1."""
        return self.step / self.steps if self.step and self.steps else 0.0


@dataclass(frozen=True)
class _Look:
    """What one look at a job directory has shown.

    Args:
        status: the state of the job.
        doubted: its heartbeat, if that must be read again to know whether the process lives.
        paths: of the job; None without doubt.
    """

    status: JobStatus
    doubted: Heartbeat | None = None
    paths: JobPaths | None = None


@dataclass
class StatusReader:
    """Reads the state of a batch, again and again; results that have not changed are read once.

    Args:
        directories: the output directory of a batch, or those of its shards.
    """

    directories: Sequence[Path]
    _results: dict[Path, tuple[tuple[int, int], JobResult | str]] = field(default_factory=dict)
    _lost: dict[Path, int] = field(default_factory=dict)

    def plan(self) -> dict[str, PlanEntry]:
        """Return the batch's jobs by name, in the spec's order.

        Raises:
            OutputError: a directory is missing or has no plan, or two are of different specs.
        """
        outputs = distinct(self.directories)
        return common_plan(outputs, outputs)

    def read(self) -> list[JobStatus]:
        """Return the state of every job, in the order of the plan; raises as `plan` does.

        Heartbeats of other machines that seem too old, or seem to come from the future, are read a second
        time after a few seconds: clocks may differ, but a process that lives has written another by then.
        """
        plan, outputs = self.plan(), distinct(self.directories)
        seen = {name: [self._look(output, entry) for output in outputs] for name, entry in plan.items()}
        if any(look.doubted for looks in seen.values() for look in looks):
            time.sleep(2.5 * HEARTBEAT_SECONDS)
        return [
            min((self._decided(look) for look in looks), key=lambda status: _FURTHEST.index(status.state))
            for looks in seen.values()
        ]

    def _look(self, output: OutputPaths, entry: PlanEntry) -> _Look:
        """Return a job's state in one output directory."""
        paths = output.job(entry.name)
        heartbeat = read_heartbeat(paths)  # before the result, which takes its place
        result = self._result(paths)
        if isinstance(result, JobResult) and result.fingerprint == entry.fingerprint:
            return _Look(_ended(entry, result))
        if heartbeat is not None:
            status = _running(entry.name, heartbeat)
            if _is_recent(heartbeat):
                return _Look(status)
            sure = heartbeat.machine == this_machine() or self._lost.get(paths.progress) == heartbeat.count
            return _Look(_lost(status)) if sure else _Look(status, heartbeat, paths)
        if isinstance(result, str):
            return _Look(JobStatus(name=entry.name, state="failed", reason=f"{paths.result}: {result}"))
        if result is None and checkpointed_fingerprints(paths.checkpoint):
            return _Look(JobStatus(name=entry.name, state="interrupted", reason="it left a checkpoint"))
        reason = "its result is of another spec, data or version" if result is not None else None
        return _Look(JobStatus(name=entry.name, state="waiting", reason=reason))

    def _decided(self, look: _Look) -> JobStatus:
        """Return the state of a job, whose heartbeat is read again if there was doubt."""
        if look.doubted is None or look.paths is None:
            return look.status
        again = read_heartbeat(look.paths)
        if again is not None and again.count != look.doubted.count:
            return _running(look.status.name, again)
        self._lost[look.paths.progress] = look.doubted.count
        return _lost(look.status)

    def _result(self, paths: JobPaths) -> JobResult | str | None:
        """Return a job's result, None without one, or why it cannot be read."""
        try:
            stat = paths.result.stat()
        except OSError:
            return None
        version = (stat.st_mtime_ns, stat.st_size)
        known = self._results.get(paths.result)
        if known is None or known[0] != version:
            result, unreadable = read_recorded_result(paths)
            if result is None and not unreadable:
                return None
            known = self._results[paths.result] = (version, result or unreadable)
        return known[1]


def _ended(entry: PlanEntry, result: JobResult) -> JobStatus:
    """Return the status of a job that has a result of the planned fingerprint."""
    try:
        judged = judge_by_plan(entry, result)
    except JobError as error:
        return JobStatus(name=entry.name, state="failed", reason=str(error))
    step = next(iter(judged.history.get("step", [])[-1:]), None)
    last = None if step is None else int(step)
    state: State = judged.status
    reason = None
    if judged.finished:
        state = judged.status if judged.judged else "done"
        reason = "; ".join(gate.shortfall for gate in judged.gates if not gate.passed) or None
    elif judged.error is not None:
        state = "cancelled" if judged.error.type == CANCELLED else judged.status
        reason = judged.error.summary
    return JobStatus(
        name=entry.name,
        state=state,
        step=last,
        steps=last,
        reason=reason,
        seconds=judged.timings.get("total_seconds"),
    )


# --- heartbeats ---------------------------------------------------------------------------------------------


def _running(name: str, heartbeat: Heartbeat) -> JobStatus:
    evaluating = heartbeat.steps > 0 and heartbeat.step >= heartbeat.steps
    return JobStatus(
        name=name,
        state="evaluating" if evaluating else "training",
        host=heartbeat.host,
        step=heartbeat.step,
        steps=heartbeat.steps or None,
        steps_per_second=heartbeat.steps_per_second,
        eta_seconds=heartbeat.eta_seconds,
        heartbeat=heartbeat.heartbeat,
        shard=heartbeat.shard or None,
    )


def _lost(status: JobStatus) -> JobStatus:
    reason = f"no heartbeat since {status.heartbeat}; run the batch again to resume it"
    return replace(status, state="lost", steps_per_second=None, eta_seconds=None, reason=reason)


def _is_recent(heartbeat: Heartbeat) -> bool:
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
