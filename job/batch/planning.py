"""A plan: every job of a spec, and its state in an output directory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from job.batch.actions import Action, Decision, decide
from job.batch.cost_estimate import evaluation_seconds
from job.batch.earlier_results import EarlierResults
from job.batch.resume import State, find_previous
from job.gating.plan_file import PlanEntry, write_entries
from job.results.job_result import JobResult
from job.running.task import StartModel
from job.spec.file_locations import Checksums, PlannedData
from job.spec.fingerprints import Fingerprints, fingerprints_of, planned_data, problem_fingerprint
from job.spec.schema import JobSpec, Spec
from job.spec.start_models import model_directory, parent_name
from job.storage.artifacts import JobPaths, OutputPaths


@dataclass(frozen=True)
class PlannedJob:
    """A job of the spec and its state in the output directory.

    Args:
        job: the resolved spec.
        fingerprints, problem_fingerprint: see `job.spec.fingerprints`.
        paths: files of the job directory.
        decision: what the next run does.
        data: checksums of its data, which the fingerprints include.
        start: the model that its training starts from, if there is one.
    """

    job: JobSpec
    fingerprints: Fingerprints
    problem_fingerprint: str
    paths: JobPaths
    decision: Decision
    data: PlannedData = field(default_factory=PlannedData)
    start: StartModel | None = None

    @property
    def fingerprint(self) -> str:
        """The evaluation fingerprint, by which plans and results are matched."""
        return self.fingerprints.evaluation

    @property
    def result(self) -> JobResult | None:
        """The finished result to reuse; None if there is something to compute."""
        return self.decision.result

    @property
    def action(self) -> Action:
        """What the next run does."""
        return self.decision.action

    @property
    def model_of(self) -> str | None:
        """The name of the other job whose model is evaluated, if there is one."""
        decision, model = self.decision, self.decision.model
        if model is None:
            return decision.after[0] if decision.after else None
        name = model.model_of or (model.name if decision.source is not None else None)
        return name if name != self.job.name else None

    @property
    def state(self) -> State:
        """What is in the job's own directory.

        It is `done`; `to do`; `failed before`; `interrupted`. Or the directory will be set aside:
        `re-evaluable` (its model is evaluated again), `changed` (its training fingerprint is another),
        `incomplete` (the job was finished, but lacks files that cannot be made again) or `damaged` (the
        result cannot be read, or a file has changed since it was recorded).
        """
        return self.decision.previous.state


def make_plan(
    spec: Spec,
    output: OutputPaths,
    checksums: Mapping[str, Checksums] | None = None,
    verified: Collection[str] | None = None,
) -> tuple[PlannedJob, ...]:
    """Return every job of the spec, in its order; reads the output directory and changes nothing.

    Args:
        spec: the jobs.
        output: the output directory.
        checksums: by job name, of the data files that were read to check the job, so that fingerprints are of
            the very bytes that were checked; data files are read for the jobs that it lacks.
        verified: names of the jobs whose files are compared with their recorded checksums; None for all.
    """
    directory, checksums = spec.path.parent, checksums or {}
    earlier, jobs = EarlierResults(output), {job.name: job for job in spec.jobs}
    planned: dict[str, PlannedJob] = {}

    def plan(job: JobSpec) -> PlannedJob:
        if job.name in planned:
            return planned[job.name]
        name = parent_name(job, jobs)
        parent = plan(jobs[name]).fingerprints.training if name is not None else ""
        data = planned_data(job, directory, checksums.get(job.name), parent=parent)
        verify = verified is None or job.name in verified
        fingerprints = fingerprints_of(job, directory, data)
        planned[job.name] = PlannedJob(
            job=job,
            fingerprints=fingerprints,
            problem_fingerprint=problem_fingerprint(job, directory, data),
            paths=output.job(job.name),
            decision=decide(job, fingerprints, output, earlier, verify=verify),
            data=data,
            start=start_model(job, name, data, directory, output),
        )
        return planned[job.name]

    return tuple(map(plan, spec.jobs))


def start_model(
    job: JobSpec, parent: str | None, data: PlannedData, directory: Path, output: OutputPaths
) -> StartModel | None:
    """Return the model that a job's training starts from, if there is one.

    Args:
        job: the resolved job.
        parent: the job of the spec that it starts from, if it is one.
        data: the checksums of its data, with that of the model.
        directory: the spec directory.
        output: the output directory.
    """
    start = job.training.start_from
    if start is None:
        return None
    model = output.job(parent).model if parent is not None else model_directory(start, directory)
    return StartModel(model=model, job=parent, identity=data.start)


def decide_again(planned: PlannedJob, output: OutputPaths) -> PlannedJob:
    """Return a planned job with a new decision if its directory has changed since the plan was made."""
    before = planned.decision.previous
    now = find_previous(planned.paths, planned.fingerprints, verify=False)
    if (now.recorded, now.resumable) == (before.recorded, before.resumable):
        return planned
    decision = decide(planned.job, planned.fingerprints, output, EarlierResults(output))
    return replace(planned, decision=decision)


def remaining_costs(plan: Sequence[PlannedJob], costs: Mapping[str, float]) -> dict[str, float]:
    """Return the estimated seconds of what is left to do for each job, if they are known, by name."""
    evaluated = {p.job.name for p in plan if p.action == "re-evaluate"}
    names = [p.job.name for p in plan if p.job.name in costs]
    return {name: evaluation_seconds(costs[name]) if name in evaluated else costs[name] for name in names}


def plan_entry(planned: PlannedJob) -> PlanEntry:
    """Return a job's entry in `plan.json`."""
    job, fingerprints = planned.job, planned.fingerprints
    return PlanEntry(
        name=job.name,
        fingerprint=fingerprints.evaluation,
        gate=job.gate,
        family=job.family if job.seeds else None,
        seed=job.seed,
        seeds=tuple(job.seeds),
        training_fingerprint=fingerprints.training,
        evaluation_fingerprint=fingerprints.evaluation,
        ensemble=job.evaluation.ensemble,
    )


def write_plan(
    output: OutputPaths, plan: Iterable[PlannedJob], costs: Mapping[str, float] | None = None
) -> None:
    """Write `plan.json`, by which `report`, a merge and `compare` judge the results.

    Args:
        output: the output directory.
        plan: every job of the spec.
        costs: estimated seconds by job name, from which `status` estimates the time left.
    """
    entries = [plan_entry(planned) for planned in plan]
    write_entries(output, [replace(entry, cost_seconds=(costs or {}).get(entry.name)) for entry in entries])


def write_fingerprints(output: OutputPaths, fingerprints: Mapping[str, str]) -> None:
    """Write a `plan.json` without gates, from fingerprints by job name: the results record their gates."""
    write_entries(output, [PlanEntry(name, fingerprint) for name, fingerprint in fingerprints.items()])
