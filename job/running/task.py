"""What a worker is given to do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from job.spec.file_locations import PlannedData
from job.spec.schema import JobSpec
from job.storage.artifacts import JobPaths


@dataclass(frozen=True)
class Task:
    """A job and where it is done.

    Args:
        job: the resolved spec.
        fingerprint: of the job, see `job.spec.fingerprints.fingerprint`.
        directory: where the spec lies; data files are looked up from there.
        paths: where the files go.
        commit: of the user's repository, for the record.
        attempt: the how-manieth this is, from 1; more than one where a worker was lost.
        tensorboard: write an event file.
        threads: how many operations may run at once in a worker whose first task it is; results do not
            depend on it.
        problem_fingerprint: see `job.spec.fingerprints.problem_fingerprint`.
        data: what its data was when `fingerprint` was made; None where whatever there is will do.
    """

    job: JobSpec
    fingerprint: str
    directory: Path
    paths: JobPaths
    commit: str | None
    attempt: int = 1
    tensorboard: bool = False
    threads: int = 1
    problem_fingerprint: str = ""
    data: PlannedData | None = None
