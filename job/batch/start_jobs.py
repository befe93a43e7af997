"""The jobs from whose models others start: that they are run, too, or were finished before."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from job.batch.planning import PlannedJob
from job.batch.resume import read_recorded_result
from job.errors import UsageError
from job.spec.schema import JobSpec
from job.spec.start_models import parent_name
from job.storage.artifacts import OutputPaths


def with_parents(names: Collection[str], jobs: Sequence[JobSpec]) -> set[str]:
    """Return the names of jobs and of those from whose models they start.

    Args:
        names: of some jobs.
        jobs: all jobs of the spec.
    """
    by_name = {job.name: job for job in jobs}
    found: set[str] = set()
    waiting = [*names]
    while waiting:
        name = waiting.pop()
        parent = parent_name(by_name[name], by_name)
        waiting += [parent] if name not in found and parent is not None else []
        found.add(name)
    return found


def require_parents(chosen: Sequence[PlannedJob], output: OutputPaths) -> None:
    """Raise `UsageError` if a job starts from one that is neither chosen nor finished.

    Args:
        chosen: the jobs to run.
        output: the output directory, which may hold results of the others.
    """
    names = {planned.job.name for planned in chosen}
    for planned in chosen:
        start = planned.start
        if start is None or start.job is None or start.job in names or planned.result is not None:
            continue
        result, _ = read_recorded_result(output.job(start.job))
        if result is None or not result.finished or result.training_fingerprint != start.identity:
            raise UsageError(
                f"job {planned.job.name} starts from the model of {start.job}, which is not to be run and "
                f"has no finished result of this spec in {output.root}; add --only {start.job}"
            )
