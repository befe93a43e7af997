"""Assign the jobs of a batch to shards by their estimated seconds, so that all shards take equally long."""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Deal:
    """Which shard each job goes to.

    Args:
        count: number of shards.
        seconds: estimated seconds by job name, in the plan's order.
        shards: shard number (from 1) by job name.
    """

    count: int
    seconds: Mapping[str, float]
    shards: Mapping[str, int]

    def names(self, index: int) -> tuple[str, ...]:
        """Return the names of the jobs of a shard (from 1), in the plan's order."""
        return tuple(name for name in self.seconds if self.shards[name] == index)

    @property
    def loads(self) -> tuple[float, ...]:
        """The estimated seconds of each shard, one job after another."""
        return tuple(sum(map(self.seconds.__getitem__, self.names(i))) for i in range(1, self.count + 1))

    @property
    def makespan(self) -> float:
        """The estimated seconds of the shard that takes longest."""
        return max(self.loads, default=0.0)

    @property
    def ideal(self) -> float:
        """Lower bound of the makespan in seconds: equal loads, or the longest job."""
        return max([sum(self.seconds.values()) / self.count, *self.seconds.values()])


def deal_jobs(seconds: Mapping[str, float], count: int, roots: Mapping[str, str] | None = None) -> Deal:
    """Assign jobs to shards: the longest first, each to the shard with the smallest load so far.

    That takes at most 4/3 as long as the best division (Graham 1969). Of jobs that take equally long, and of
    shards with equal loads, the first comes first: every shard computes the same division.

    Args:
        seconds: estimated seconds by job name, in the plan's order.
        count: number of shards.
        roots: by job name, see `equal_trainings.root_names`: jobs with the same one go to the same
            shard, because one takes the model of another, or starts from it.
    """
    roots = roots or {}
    together: dict[str, list[str]] = {}
    for name in seconds:
        together.setdefault(roots.get(name, name), []).append(name)
    sums = {root: sum(seconds[name] for name in names) for root, names in together.items()}
    loads = [(0.0, index) for index in range(1, count + 1)]
    shards = {}
    for root in longest_first(sums):
        load, index = heapq.heappop(loads)
        shards.update(dict.fromkeys(together[root], index))
        heapq.heappush(loads, (load + sums[root], index))
    return Deal(count, dict(seconds), shards)


def longest_first(seconds: Mapping[str, float]) -> Sequence[str]:
    """Return the names of jobs, those that take longest first, equal ones in the plan's order."""
    return sorted(seconds, key=lambda name: -seconds[name])
