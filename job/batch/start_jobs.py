"""Check that the jobs from whose models others start are run, too, or were finished before."""

from __future__ import annotations

from collections.abc import Sequence

from job.batch.planning import PlannedJob
from job.batch.resume import read_recorded_result
from job.errors import UsageError
from job.storage.artifacts import OutputPaths


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
