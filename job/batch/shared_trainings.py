"""Train jobs with the same training once: all others wait for the model, and only evaluate it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from job.batch.earlier_results import EarlierResult
from job.batch.planning import PlannedJob
from job.results.job_result import JobResult
from job.results.shared_models import first_trained
from job.storage.artifacts import OutputPaths

AFRESH = "every job is trained afresh, as asked"
"""Why a job is trained with `--fresh`."""


def share_trainings(plan: Sequence[PlannedJob], *, fresh: bool = False) -> tuple[PlannedJob, ...]:
    """Return the jobs of a batch; those that share a training wait for the model of the first one.

    The first one trains, or the first that has a checkpoint.

    Args:
        plan: the jobs to run, in the spec's order.
        fresh: every job is trained, whatever there is.
    """
    groups: dict[str, list[PlannedJob]] = {}
    for planned in plan:
        if fresh or planned.action in ("train", "resume"):
            groups.setdefault(planned.fingerprints.training, []).append(planned)
    earlier: dict[str, tuple[str, ...]] = {}
    for alike in groups.values():
        names = [p.job.name for p in sorted(alike, key=lambda p: not fresh and p.action != "resume")]
        earlier |= {name: tuple(names[:i]) for i, name in enumerate(names)}
    return tuple(_waiting(p, earlier.get(p.job.name, ()), fresh=fresh) for p in plan)


def _waiting(planned: PlannedJob, after: tuple[str, ...], *, fresh: bool) -> PlannedJob:
    if not after:
        return planned
    alone = planned.decision
    if fresh:
        alone = replace(alone, action="train", why=AFRESH, source=None)
    why = f"the model of {after[0]}, once it is trained"
    decision = replace(alone, action="re-evaluate", why=why, source=None, after=after, alone=alone)
    return replace(planned, decision=decision)


def with_model(planned: PlannedJob, results: Mapping[str, JobResult], output: OutputPaths) -> PlannedJob:
    """Return a job that waits no longer: it evaluates the model of the first trained job, or trains alone.

    Args:
        planned: a job that has waited.
        results: of the jobs that have ended, by name.
        output: the output directory.
    """
    decision = planned.decision
    assert decision.alone is not None
    trained = first_trained(decision.after, results)
    if trained is None:
        names = ", ".join(decision.after)
        why = f"no model came of {names} with the same training; {decision.alone.why}"
        return replace(planned, decision=replace(decision.alone, why=why))
    source = EarlierResult(output.job(trained.name).directory, trained, movable=False)
    why = f"the model of {trained.name}, which has the same training"
    decision = replace(decision, why=why, source=source, after=(), alone=None)
    return replace(planned, decision=decision)
