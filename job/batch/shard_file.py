"""`shards.json`: which shard each job goes to, as the first shard in an output directory has decided.

Without it every shard would still come to the same division, from the spec. It keeps the shards together if
one of them is started with another version, and it can hold a division by measured seconds, see `plan`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pydantic import TypeAdapter

from job.batch.balanced_shards import Deal
from job.batch.lock import lock_output
from job.results.reading import SCHEMA_VERSION, validated
from job.results.sections import JobName
from job.spec.file_locations import Checksums
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths, prepare_output, write_text
from job.storage.documents import read_json
from job.storage.exclusive import create_exclusively


@dataclass(frozen=True)
class _Entry:
    name: JobName
    shard: int
    seconds: float


@dataclass(frozen=True)
class _ShardFile:
    plan: str
    count: int
    jobs: tuple[_Entry, ...]
    schema_version: int = SCHEMA_VERSION


@cache
def _reader() -> TypeAdapter[_ShardFile]:
    return TypeAdapter(_ShardFile)


def plan_fingerprint(jobs: Iterable[JobSpec], checksums: Mapping[str, Checksums]) -> str:
    """Return the SHA-256 of what is dealt: the jobs without their gates, and the checksums of their data."""
    content = [
        [job.model_dump(mode="json", exclude={"gate"}), sorted(checksums.get(job.name, {}).items())]
        for job in jobs
    ]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def agreed_deal(output: OutputPaths, deal: Deal, plan: str) -> Deal:
    """Return the division that the shards in an output directory go by; the first shard writes it.

    Args:
        output: the output directory.
        deal: the division by this shard's own estimate.
        plan: see `plan_fingerprint`.

    Raises:
        OSError: the division cannot be written.
    """
    if create_exclusively(output.shards, _content(deal, plan)):
        return deal
    found = read_deal(output, deal, plan)
    if found is None:  # of another plan, or damaged
        write_text(output.shards, _content(deal, plan).decode())
    return found or deal


def read_deal(output: OutputPaths, deal: Deal, plan: str) -> Deal | None:
    """Return the division that `shards.json` holds; None unless it is of this plan and number of shards.

    Args:
        output: the output directory.
        deal: by this process's own estimate: tells the number of shards and the names.
        plan: see `plan_fingerprint`.
    """
    try:
        found = validated(_reader(), read_json(output.shards))
    except (OSError, ValueError):
        return None
    shards = {entry.name: entry.shard for entry in found.jobs}
    same = (found.plan, found.count, [*shards]) == (plan, deal.count, [*deal.seconds])
    if not same or not all(1 <= shard <= deal.count for shard in shards.values()):
        return None
    return Deal(deal.count, {entry.name: entry.seconds for entry in found.jobs}, shards)


def read_shards(output: OutputPaths, names: Sequence[str]) -> dict[str, str]:
    """Return each job's shard, such as `2-of-4`, by job name; empty unless the file is of these jobs."""
    try:
        found = validated(_reader(), read_json(output.shards))
    except (OSError, ValueError):
        return {}
    shards = {entry.name: f"{entry.shard}-of-{found.count}" for entry in found.jobs}
    return shards if shards.keys() == {*names} else {}


def save_deal(output: OutputPaths, deal: Deal, plan: str) -> None:
    """Write `shards.json`, replacing an older one, while no batch is running.

    Raises:
        OutputError: a batch is running, or the output directory cannot be used.
        OSError: the file cannot be written; an older one is unchanged.
    """
    prepare_output(output.root)
    with lock_output(output.root):
        write_text(output.shards, _content(deal, plan).decode())


def _content(deal: Deal, plan: str) -> bytes:
    jobs = [
        {"name": name, "shard": deal.shards[name], "seconds": seconds}
        for name, seconds in deal.seconds.items()
    ]
    record = {"schema_version": SCHEMA_VERSION, "plan": plan, "count": deal.count, "jobs": jobs}
    return (json.dumps(record, indent=2, allow_nan=False) + "\n").encode()
