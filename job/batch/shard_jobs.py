"""Which jobs each shard takes: the division that all shards of an output directory go by."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from job.batch.balanced_shards import Deal, deal_jobs
from job.batch.cost_estimate import batch_costs
from job.batch.measured_costs import measured_costs
from job.batch.shard import Shard
from job.batch.shard_file import agreed_deal, plan_fingerprint, read_deal, save_deal
from job.spec.equal_trainings import first_alike, root_names
from job.spec.file_locations import Checksums
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths


def jobs_of_shard(
    shard: Shard,
    jobs: Sequence[JobSpec],
    selected: Collection[str],
    costs: Mapping[str, float],
    checksums: Mapping[str, Checksums],
    output: OutputPaths,
) -> set[str]:
    """Return the names of a shard's jobs; the first shard in an output directory records the division.

    A recorded division of all jobs of the spec stays as it is and holds for some of them too. Without one,
    the selected jobs alone are divided.

    Args:
        shard: the shard.
        jobs: all jobs of the spec.
        selected: the names of those to run.
        costs: estimated seconds by job name.
        checksums: checksums of the data by job name.
        output: the output directory, which all shards share or each has for itself.

    Raises:
        OSError: the division cannot be written.
    """
    whole = read_deal(output, _deal(jobs, costs, shard.count), plan_fingerprint(jobs, checksums))
    if whole is not None:
        return {*whole.names(shard.index)}.intersection(selected)
    some = [job for job in jobs if job.name in selected]
    deal = _deal(some, {job.name: costs[job.name] for job in some}, shard.count)
    return {*agreed_deal(output, deal, plan_fingerprint(some, checksums)).names(shard.index)}


def expected_deal(
    jobs: Sequence[JobSpec],
    count: int,
    costs: Mapping[str, float],
    checksums: Mapping[str, Checksums],
    output: OutputPaths,
) -> Deal:
    """Return the division that shards would use; writes nothing.

    Args:
        jobs: the jobs to divide.
        count: number of shards.
        costs: estimated seconds by job name.
        checksums: checksums of the data by job name.
        output: the output directory, which may hold a saved division.
    """
    deal = _deal(jobs, costs, count)
    return read_deal(output, deal, plan_fingerprint(jobs, checksums)) or deal


def save_measured_deal(
    jobs: Sequence[JobSpec],
    count: int,
    costs: Mapping[str, float],
    checksums: Mapping[str, Checksums],
    output: OutputPaths,
) -> Deal:
    """Divide the jobs by the seconds that they took before, where they did, and save that for the shards.

    Args:
        jobs: the jobs to divide.
        count: number of shards.
        costs: estimated seconds by job name, for jobs that have no result.
        checksums: checksums of the data by job name.
        output: the output directory.

    Raises:
        OutputError: a batch is running, or the output directory cannot be used.
        OSError: the division cannot be written.
    """
    deal = _deal(jobs, measured_costs(jobs, costs, output), count)
    save_deal(output, deal, plan_fingerprint(jobs, checksums))
    return deal


def _deal(jobs: Sequence[JobSpec], costs: Mapping[str, float], count: int) -> Deal:
    """Deal jobs to shards; those that take models from one another go to the same one."""
    return deal_jobs(batch_costs(costs, first_alike(jobs)), count, root_names(jobs))
