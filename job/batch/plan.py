"""A spec -> what is to be done in an output directory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from job.batch.resume import State, standing
from job.gating.plan_file import PlanEntry, read_entries, write_entries
from job.results.records import JobResult
from job.spec.file_locations import Checksums, PlannedData
from job.spec.fingerprints import fingerprint, planned_data, problem_fingerprint
from job.spec.schema import JobSpec, Spec
from job.storage.artifacts import JobPaths, OutputPaths


@dataclass(frozen=True)
class PlannedJob:
    """A job of the spec and how it stands in the output directory.

    Args:
        job: the resolved spec.
        fingerprint, problem_fingerprint: see `job.spec.matrix`.
        paths: where its files are.
        result: the finished result that makes training it again needless, else None.
        state: `done`; `to do`; `failed before` (it will be tried again); `interrupted` (it will go on);
            `changed`: what is there is of another fingerprint, and will be set aside; `incomplete`: it was
            finished, but files of it are gone that cannot be made again, and it will be set aside;
            `damaged`: it cannot be read, or a file of it has changed since it was recorded: set aside too.
        data: what its data is; the fingerprints are of this.
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
    read: Mapping[str, Checksums] | None = None,
    verified: Collection[str] | None = None,
) -> tuple[PlannedJob, ...]:
    """Return every job of the spec, in its order; reads the output directory and changes nothing.

    Args:
        spec: the jobs.
        output: where their results are.
        read: by job name, the checksums of what was read to check its data, see `checksums_of`: fingerprints
            are then of the very bytes that were checked.
        verified: names of the jobs whose files are held against their recorded sums; None for all.
    """
    directory, read = spec.path.parent, read or {}
    planned = []
    for job in spec.jobs:
        data = planned_data(job, directory, read.get(job.name))
        verify = verified is None or job.name in verified
        planned.append(_planned(job, directory, output.job(job.name), data, verify=verify))
    return tuple(planned)


def _planned(
    job: JobSpec, directory: Path, paths: JobPaths, data: PlannedData, *, verify: bool
) -> PlannedJob:
    mark = fingerprint(job, directory, data)
    found = standing(paths, mark, verify=verify)
    problem_mark = problem_fingerprint(job, directory, data)
    return PlannedJob(job, mark, problem_mark, paths, found.result, found.state, data)


def entry_of(job: JobSpec, mark: str) -> PlanEntry:
    """Return what `plan.json` holds of a job with a fingerprint."""
    family = job.family if job.seeds else None
    return PlanEntry(job.name, mark, job.gate, family, job.seed, tuple(job.seeds))


def write_plan(output: OutputPaths, plan: Iterable[PlannedJob]) -> None:
    """Write `plan.json`: what `report`, a merge and `compare` judge the results by."""
    write_entries(output, [entry_of(planned.job, planned.fingerprint) for planned in plan])


def write_marks(output: OutputPaths, marks: Mapping[str, str]) -> None:
    """Write `plan.json` for jobs, name -> fingerprint, whose gates their results record."""
    write_entries(output, [PlanEntry(name, mark) for name, mark in marks.items()])


def read_plan(path: Path) -> dict[str, str]:
    """Return job name -> fingerprint, in the spec's order; raises as `read_entries` does."""
    return {name: entry.fingerprint for name, entry in read_entries(path).items()}
