"""A plan: every job of a spec, and its state in an output directory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.resume import State, find_previous
from job.gating.plan_file import PlanEntry, read_entries, write_entries
from job.results.job_result import JobResult
from job.spec.file_locations import Checksums, PlannedData
from job.spec.fingerprints import fingerprint, planned_data, problem_fingerprint
from job.spec.schema import JobSpec, Spec
from job.storage.artifacts import JobPaths, OutputPaths


@dataclass(frozen=True)
class PlannedJob:
    """A job of the spec and its state in the output directory.

    Args:
        job: the resolved spec.
        fingerprint, problem_fingerprint: see `job.spec.fingerprints`.
        paths: files of the job directory.
        result: the finished result to reuse, None if the job is to be trained.
        state: `done`; `to do`; `failed before` (it will be trained again); `interrupted` (it will be
            resumed). Where the job directory will be set aside: `changed` (its fingerprint is another),
            `incomplete` (the job was finished, but lacks files that cannot be made again) or `damaged` (the
            result cannot be read, or a file has changed since it was recorded).
        data: checksums of its data, which the fingerprints include.
    """

    job: JobSpec
    fingerprint: str
    problem_fingerprint: str
    paths: JobPaths
    result: JobResult | None
    state: State
    data: PlannedData = field(default_factory=PlannedData)


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
    planned = []
    for job in spec.jobs:
        data = planned_data(job, directory, checksums.get(job.name))
        verify = verified is None or job.name in verified
        planned.append(_planned(job, directory, output.job(job.name), data, verify=verify))
    return tuple(planned)


def _planned(
    job: JobSpec, directory: Path, paths: JobPaths, data: PlannedData, *, verify: bool
) -> PlannedJob:
    own_fingerprint = fingerprint(job, directory, data)
    previous = find_previous(paths, own_fingerprint, verify=verify)
    return PlannedJob(
        job=job,
        fingerprint=own_fingerprint,
        problem_fingerprint=problem_fingerprint(job, directory, data),
        paths=paths,
        result=previous.result,
        state=previous.state,
        data=data,
    )


def plan_entry(job: JobSpec, fingerprint: str) -> PlanEntry:
    """Return a job's entry in `plan.json`."""
    family = job.family if job.seeds else None
    return PlanEntry(job.name, fingerprint, job.gate, family, job.seed, tuple(job.seeds))


def write_plan(output: OutputPaths, plan: Iterable[PlannedJob]) -> None:
    """Write `plan.json`, by which `report`, a merge and `compare` judge the results."""
    write_entries(output, [plan_entry(planned.job, planned.fingerprint) for planned in plan])


def write_fingerprints(output: OutputPaths, fingerprints: Mapping[str, str]) -> None:
    """Write a `plan.json` without gates, from fingerprints by job name: the results record their gates."""
    write_entries(output, [PlanEntry(name, fingerprint) for name, fingerprint in fingerprints.items()])


def read_plan(path: Path) -> dict[str, str]:
    """Return fingerprints by job name, in the spec's order; raises as `read_entries` does."""
    return {name: entry.fingerprint for name, entry in read_entries(path).items()}
