import itertools
import random

import pytest

from job.batch.balanced_shards import deal_jobs, longest_first


def unequal(count, seed=1):
    """Jobs of which the longest takes over a hundred times as long as the shortest."""
    rng = random.Random(seed)
    return {f"job-{i}": round(2 * 1.13 ** rng.randrange(40), 3) for i in range(count)}


@pytest.mark.parametrize(("shards", "jobs"), [*itertools.product([1, 2, 3, 8, 13], [0, 1, 3, 8, 40])])
def test_every_job_goes_to_exactly_one_shard(shards, jobs):
    seconds = unequal(jobs)
    deal = deal_jobs(seconds, shards)
    parts = [deal.names(index) for index in range(1, shards + 1)]
    assert sorted(itertools.chain(*parts)) == sorted(seconds)
    assert all(list(part) == [name for name in seconds if name in part] for part in parts)
    assert list(deal.loads) == pytest.approx([sum(seconds[name] for name in part) for part in parts])


def test_the_longest_job_is_dealt_first_and_equal_ones_by_the_plans_order():
    assert longest_first({"a": 1.0, "b": 5.0, "c": 1.0, "d": 5.0}) == ["b", "d", "a", "c"]
    deal = deal_jobs(dict.fromkeys("abcde", 3.0), 2)
    assert (deal.names(1), deal.names(2)) == (("a", "c", "e"), ("b", "d"))


def best_makespan(seconds, shards):
    """The oracle: every division of the jobs."""
    loads = []
    for chosen in itertools.product(range(shards), repeat=len(seconds)):
        parts = [0.0] * shards
        for part, value in zip(chosen, seconds.values(), strict=True):
            parts[part] += value
        loads.append(max(parts))
    return min(loads)


@pytest.mark.parametrize("seed", range(6))
def test_no_division_is_much_better(seed):
    seconds = unequal(8, seed)
    deal = deal_jobs(seconds, 3)
    best = best_makespan(seconds, 3)
    assert deal.ideal <= best * (1 + 1e-9)
    assert best <= deal.makespan * (1 + 1e-9) <= best * (4 / 3 - 1 / 9) * (1 + 1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_forty_unequal_jobs_are_within_a_few_percent_of_the_ideal(seed):
    seconds = unequal(40, seed)
    deal = deal_jobs(seconds, 8)
    every_eighth = max(sum(list(seconds.values())[i::8]) for i in range(8))
    assert max(seconds.values()) / min(seconds.values()) > 50
    assert deal.makespan <= 1.05 * deal.ideal
    assert every_eighth > 1.2 * deal.makespan


def test_no_division_ends_before_the_longest_job():
    deal = deal_jobs({"a": 100.0, "b": 1.0}, 4)
    assert deal.ideal == deal.makespan == 100.0
    assert deal_jobs({}, 4).ideal == deal_jobs({}, 4).makespan == 0


def test_jobs_that_start_from_one_another_go_to_the_same_shard():
    seconds = {"child": 1.0, "parent": 3.0, "other": 3.0, "last": 2.0}
    deal = deal_jobs(seconds, 2, {"child": "parent", "parent": "parent"})
    assert [deal.names(i) for i in (1, 2)] == [("child", "parent"), ("other", "last")]
    assert deal.loads == (4.0, 5.0)
