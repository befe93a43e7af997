import tracemalloc
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from job.errors import DataError
from job.problems import build_problem
from job.spec.problem_sections import CopySpec, ReversedPrefixSpec, ReverseSpec, SortSpec

SPECS = {
    "reversed_prefix": ReversedPrefixSpec(
        kind="reversed_prefix", source_length=6, target_length=3, cardinality=51
    ),
    "reverse": ReverseSpec(kind="reverse", source_length=5, cardinality=11),
    "copy": CopySpec(kind="copy", source_length=4, cardinality=9),
    "sort": SortSpec(kind="sort", source_length=7, cardinality=30),
}
TARGETS = {
    "reversed_prefix": lambda row: list(reversed(row[:3])),
    "reverse": lambda row: list(reversed(row)),
    "copy": list,
    "sort": sorted,
}
KINDS = sorted(SPECS)


def problem_of(kind="reversed_prefix", seed=7):
    return build_problem(SPECS[kind], seed, Path("nowhere"))


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_targets_agree_with_plain_python(kind):
    source, target = problem_of(kind).batch(0, 0, 200, 1000)
    assert source.shape == (200, SPECS[kind].source_length)
    assert [TARGETS[kind](row) for row in source.tolist()] == target.tolist()
    assert source.dtype == target.dtype == np.int32
    assert target.flags.c_contiguous
    assert not np.shares_memory(source, target)


@pytest.mark.parametrize("kind", KINDS)
def test_declared_sizes_agree_with_the_examples(kind):
    problem = problem_of(kind)
    source, target = problem.batch(0, 0, 2000, 2000)
    assert set(np.unique(source)) == set(range(1, SPECS[kind].cardinality))
    assert len(problem.source_vocabulary) == SPECS[kind].cardinality
    assert problem.max_target_length == target.shape[1]
    assert problem.fixed_length
    assert problem.target_vocabulary.end is None
    assert problem.source_space == (SPECS[kind].cardinality - 1) ** SPECS[kind].source_length


def test_values_are_drawn_uniformly():
    source, _ = problem_of().batch(0, 0, 50_000, 50_000)
    counts = np.bincount(source.ravel(), minlength=51)[1:]
    expected = source.size / 50
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert chi_squared < 85.4  # the 99.9 % quantile for 49 degrees of freedom


def test_the_smallest_problem():
    spec = CopySpec(kind="copy", source_length=1, cardinality=2)
    problem = build_problem(spec, 1, Path())
    assert problem.batch(0, 0, 3, 3)[0].tolist() == [[1], [1], [1]]
    assert problem.source_space == 1


def test_source_space_of_the_largest_problem_is_exact():
    spec = CopySpec(kind="copy", source_length=1000, cardinality=1_000_000)
    assert build_problem(spec, 1, Path()).source_space == 999_999**1000


def test_a_batch_depends_on_its_arguments_only():
    there = [(2, 5), (0, 0), (0, 1), (1, 0)]
    problem = problem_of()
    forward = {at: problem.batch(*at, 64, 1000) for at in there}
    backward = {at: problem.batch(*at, 64, 1000) for at in reversed(there)}
    fresh = {at: problem_of().batch(*at, 64, 1000) for at in there}
    for at in there:
        assert same(forward[at], backward[at])
        assert same(forward[at], fresh[at])
    for one, other in combinations(there, 2):
        assert not same(forward[one], forward[other])


def test_batches_do_not_share_random_numbers():
    problem = problem_of()
    batches = [problem.batch(epoch, i, 64, 6400)[0] for epoch in range(10) for i in range(10)]
    rows = np.concatenate(batches).tolist()
    assert len(set(map(tuple, rows))) == len(rows) == 6400  # with one seed in 750, a source occurs twice


def test_other_seeds_have_other_examples():
    assert not same(problem_of(seed=7).batch(0, 0, 64, 64), problem_of(seed=8).batch(0, 0, 64, 64))
    ours, theirs = (problem_of(seed=s).examples("test", 64).source for s in (7, 8))
    assert not np.array_equal(ours, theirs)


def test_splits_have_different_random_streams():
    problem = problem_of()
    streams = [
        problem.batch(0, 0, 1000, 1000)[0],
        problem.examples("validation", 1000).source,
        problem.examples("test", 1000).source,
    ]
    for one, other in combinations([set(map(tuple, rows.tolist())) for rows in streams], 2):
        assert not one & other  # there are 1.6e10 sources: two draws of 1000 share one with 1 in 15,000 seeds


def test_the_last_batch_has_the_remaining_examples():
    problem = problem_of()
    assert [len(problem.batch(0, i, 128, 300)[0]) for i in range(3)] == [128, 128, 44]
    assert len(problem.batch(0, 1, 128, 256)[0]) == 128


@pytest.mark.parametrize("index", [-1, 3])
def test_a_batch_outside_the_epoch_is_an_error(index):
    with pytest.raises(IndexError, match="an epoch has 300 examples"):
        problem_of().batch(0, index, 128, 300)


@pytest.mark.parametrize("kind", KINDS)
def test_a_smaller_count_returns_the_first_examples(kind):
    many, few = (problem_of(kind).examples("test", n) for n in (500, 77))
    assert len(few) == 77
    assert np.array_equal(many.source[:77], few.source)
    assert np.array_equal(many.target[:77], few.target)
    assert few.references == ()


def test_an_epoch_has_the_requested_number_of_examples():
    assert problem_of().examples_per_epoch(123) == 123


def test_all_examples_of_a_generated_problem_is_an_error():
    with pytest.raises(DataError, match=r"training\.examples is 'all'"):
        problem_of().examples_per_epoch("all")


def test_memory_does_not_grow_with_the_number_of_examples():
    problem = problem_of()
    examples = problem.examples_per_epoch(10_000_000)
    last = examples // 128 - 1
    tracemalloc.start()
    try:
        for index in (0, 1, last // 2, last):
            problem.batch(3, index, 128, examples)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000  # a batch is 128 * (6 + 3) * 4 = 4608 bytes


def test_description():
    facts = problem_of().describe()
    assert facts == {"source_length": 6, "target_length": 3, "cardinality": 51}
