"""Expansion of a job with `seeds` into one run for each seed, and the names of these runs."""

from __future__ import annotations

from dataclasses import replace

from job.spec.yaml_tree import Node, join
from job.storage.file_names import short_job_name


def run_name(job: str, seed: int) -> str:
    """Return the name of a job's run with one of its seeds: NAME-seed-SEED."""
    return f"{job}-seed-{seed}"


def base_name(run: str, seed: int) -> str:
    """Return the name of the job that a run belongs to: the inverse of `run_name`.

    A name that `run_name` does not return for this seed is returned as it is.
    """
    return run.removesuffix(run_name("", seed))


def count_runs(entry: Node) -> int:
    """Return the number of runs of a job, one for each seed, before any of them is made."""
    seeds = entry.entries.get("seeds")
    return max(1, len(seeds.items)) if seeds else 1


def with_short_name(entry: Node) -> Node:
    """Return a job whose name, and that of its run with each of its seeds, is at most 100 characters long.

    A name that is longer is replaced by its short form, see `short_job_name`.
    """
    name, seeds = entry.entries.get("name"), entry.entries.get("seeds")
    if name is None or not isinstance(name.value, str):
        return entry
    values = [seed.value for seed in seeds.items] if seeds else []
    room = max((len(run_name("", value)) for value in values if isinstance(value, int)), default=0)
    short = replace(name, value=short_job_name(name.value, room))
    return replace(entry, value={**entry.entries, "name": short})


def expand_seeds(entry: Node) -> list[Node]:
    """Return one job for each seed of a job.

    A job without seeds is returned as it is; so is one whose seeds are invalid, for which the validation of
    its values has a complaint.
    """
    seeds, name = entry.entries.get("seeds"), entry.entries.get("name")
    if seeds is None or name is None or not isinstance(name.value, str):
        return [entry]
    values = [item.value for item in seeds.items]
    if not all(type(value) is int for value in values) or len(set(values)) < len(values) or not values:
        return [entry]
    return [_run(entry, name, name.value, seed) for seed in seeds.items]


def _run(entry: Node, name: Node, job: str, seed: Node) -> Node:
    assert isinstance(seed.value, int)
    named = replace(name, value=run_name(job, seed.value))
    return replace(
        entry, value={**entry.entries, "name": named, "seed": replace(seed, key=join(entry.key, "seed"))}
    )
