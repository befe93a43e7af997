"""The state of one job of a batch, as `status` shows it: from its result, or from its heartbeat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from job.batch.final_result import CANCELLED
from job.batch.heartbeat import Heartbeat
from job.batch.judging import judge_by_plan
from job.errors import JobError
from job.gating.plan_file import PlanEntry
from job.results.job_result import JobResult

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

FURTHEST: tuple[State, ...] = (
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
        steps_per_second: of the training; None until it is known.
        eta_seconds: how long the job still takes, with its evaluation; None until it is known, and once it
            has taken longer.
        expected_seconds: how long the whole job takes, with its evaluation; None until it is known.
        done: the share of its work that is done, 0 to 1, where validation and evaluation are work too; None
            if it does not run and has not finished.
        evaluating_seconds: how long its model has been evaluated; None before.
        heartbeat: when the last sign of life was written, ISO 8601.
        reason: why it failed, or is unfinished, in one line.
        shard: that runs it, such as `2-of-4`; None if none does.
        seconds: how long a finished job took; with the model of another job, its evaluation.
    """

    name: str
    state: State
    host: str | None = None
    step: int | None = None
    steps: int | None = None
    steps_per_second: float | None = None
    eta_seconds: float | None = None
    expected_seconds: float | None = None
    done: float | None = None
    evaluating_seconds: float | None = None
    heartbeat: str | None = None
    reason: str | None = None
    shard: str | None = None
    seconds: float | None = None

    @property
    def running(self) -> bool:
        """Whether a machine runs it."""
        return self.state in RUNNING


def ended_status(entry: PlanEntry, result: JobResult) -> JobStatus:
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
        seconds=judged.timings.get("evaluate_seconds" if judged.model_of else "total_seconds"),
        done=1.0 if judged.finished else None,
    )


def running_status(name: str, heartbeat: Heartbeat) -> JobStatus:
    """Return the status of a job whose process lives."""
    evaluating = heartbeat.steps > 0 and heartbeat.step >= heartbeat.steps
    return JobStatus(
        name=name,
        state="evaluating" if evaluating else "training",
        host=heartbeat.host,
        step=heartbeat.step,
        steps=heartbeat.steps or None,
        steps_per_second=heartbeat.steps_per_second,
        eta_seconds=heartbeat.eta_seconds,
        expected_seconds=heartbeat.total_seconds,
        done=heartbeat.done,
        evaluating_seconds=heartbeat.evaluating_seconds,
        heartbeat=heartbeat.heartbeat,
        shard=heartbeat.shard or None,
    )


def lost_status(status: JobStatus) -> JobStatus:
    """Return the status of a running job whose heartbeats have ended."""
    reason = f"no heartbeat since {status.heartbeat}; run the batch again to resume it"
    return replace(
        status,
        state="lost",
        steps_per_second=None,
        eta_seconds=None,
        expected_seconds=None,
        evaluating_seconds=None,
        reason=reason,
    )
