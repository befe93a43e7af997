"""Which jobs each shard takes: the division that all shards of an output directory go by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from job.batch.balanced_shards import Deal, deal_jobs
from job.batch.measured_costs import measured_costs
from job.batch.shard import Shard
from job.batch.shard_file import agreed_deal, plan_fingerprint, read_deal, save_deal
from job.spec.file_locations import Checksums
from job.spec.schema import JobSpec
from job.spec.start_models import root_names
from job.storage.artifacts import OutputPaths


def jobs_of_shard(
    shard: Shard,
    jobs: Sequence[JobSpec],
    costs: Mapping[str, float],
    checksums: Mapping[str, Checksums],
    output: OutputPaths,
) -> set[str]:
    """Return the names of a shard's jobs; the first shard in an output directory records the division.

    Args:
        shard: the shard.
        jobs: the jobs to divide.
        costs: estimated seconds by job name.
        checksums: checksums of the data by job name.
        output: the output directory, which all shards share or each has for itself.

    Raises:
        OSError: the division cannot be written.
    """
    deal = deal_jobs({job.name: costs[job.name] for job in jobs}, shard.count, root_names(jobs))
    return {*agreed_deal(output, deal, plan_fingerprint(jobs, checksums)).names(shard.index)}


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
    deal = deal_jobs(costs, count, root_names(jobs))
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
    deal = deal_jobs(measured_costs(jobs, costs, output), count, root_names(jobs))
    save_deal(output, deal, plan_fingerprint(jobs, checksums))
    return deal
