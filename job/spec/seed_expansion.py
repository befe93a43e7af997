"""A job with `seeds` -> a job for each of them."""

from __future__ import annotations

from dataclasses import replace

from job.spec.yaml_tree import Node, join


def count_runs(entry: Node) -> int:
    """Return how many jobs a job is with its seeds, before anything is made of them."""
    seeds = entry.entries.get("seeds")
    return max(1, len(seeds.items)) if seeds else 1


def by_seed(entry: Node) -> list[Node]:
    """Return a job once a seed, named NAME-seed-SEED; as it is where it has no seeds, or not what seeds can
    be, which the check of its values complains about."""
    seeds, name = entry.entries.get("seeds"), entry.entries.get("name")
    if seeds is None or name is None or not isinstance(name.value, str):
        return [entry]
    values = [item.value for item in seeds.items]
    if not all(type(value) is int for value in values) or len(set(values)) < len(values) or not values:
        return [entry]
    key = join(entry.key, "seed")
    return [
        replace(
            entry,
            value={
                **entry.entries,
                "name": replace(name, value=f"{name.value}-seed-{item.value}"),
                "seed": replace(item, key=key),
            },
        )
        for item in seeds.items
    ]


def run_name(job: str, seed: int) -> str:
    """Return the name of the run of a job with a seed."""
    return f"{job}-seed-{seed}"
