"""The seconds that jobs took before in an output directory, in place of their estimates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from job.batch.balanced_shards import longest_first
from job.batch.other_work import measured_ratio
from job.batch.planning import PlannedJob
from job.batch.resume import read_recorded_result
from job.results.job_result import JobResult
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths

_DECISIVE = ("problem", "model", "training", "evaluation")
"""The sections of a job that decide how long it takes."""


def measured_costs(
    jobs: Iterable[JobSpec], estimates: Mapping[str, float], output: OutputPaths
) -> dict[str, float]:
    """Return the seconds of each job, by name: as measured where it ran before, else as estimated.

    A measurement counts if the sections that decide how long a job takes are unchanged. Estimates are scaled
    to the measurements, since this may be a faster or slower machine than that of the estimate.

    Processes that must agree on these numbers must not each compute them: results appear meanwhile.

    Args:
        jobs: the jobs.
        estimates: estimated seconds by job name, see `cost_estimate`.
        output: the output directory.
    """
    measured = {}
    for job in jobs:
        result, _ = read_recorded_result(output.job(job.name))
        if result is not None and (seconds := _seconds(job, result)):
            measured[job.name] = seconds
    scale = median([measured[name] / estimates[name] for name in measured] or [1.0])
    return {name: measured.get(name, round(scale * seconds, 3)) for name, seconds in estimates.items()}


def measured_evaluations(earlier: Iterable[tuple[JobSpec, JobResult | None]]) -> dict[str, float]:
    """Return how many times as long as expected the evaluation of each job took before, by name.

    A measurement counts as in `measured_costs`; jobs without one are left out.

    Args:
        earlier: each job with what was recorded of it before.
    """
    found = {}
    for job, result in earlier:
        if result is not None and _seconds(job, result) and (ratio := measured_ratio(job, result)):
            found[job.name] = ratio
    return found


def costliest_first(
    plan: Sequence[PlannedJob], estimates: Mapping[str, float], output: OutputPaths
) -> list[PlannedJob]:
    """Return planned jobs, those that take longest first, equal ones in the plan's order.

    Args:
        plan: the jobs.
        estimates: estimated seconds by job name; may be empty.
        output: the output directory, with measurements in its results.
    """
    costs = measured_costs([planned.job for planned in plan], estimates, output) if estimates else {}
    by_name = {planned.job.name: planned for planned in plan}
    return [by_name[name] for name in longest_first({name: costs.get(name, 1.0) for name in by_name})]


def _seconds(job: JobSpec, result: JobResult) -> float | None:
    """Return how long a finished job took, None if it is not finished or was another job."""
    now = job.model_dump(mode="json")
    same = all(result.spec.get(section) == now[section] for section in _DECISIVE)
    return result.timings.get("total_seconds") if result.finished and same else None
