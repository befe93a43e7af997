from pathlib import Path

import numpy as np
import pytest

from job.problems import build_problem
from job.spec.problem_sections import AdditionSpec


def problem_of(digits=3, seed=7):
    return build_problem(AdditionSpec(kind="addition", digits=digits), seed, Path("nowhere"))


def texts(problem, source, target):
    sources = [problem.source_vocabulary.decode(row) for row in source]
    targets = [problem.target_vocabulary.decode(row) for row in target]
    return sources, targets


@pytest.mark.parametrize("digits", [1, 2, 3, 8])
def test_every_sum_is_correct(digits):
    problem = problem_of(digits)
    sources, targets = texts(problem, *problem.batch(0, 0, 3000, 3000))
    for source, target in zip(sources, targets, strict=True):
        left, right = source.split("+")
        assert (str(int(left)), str(int(right))) == (left, right), "an operand has a leading zero"
        assert max(len(left), len(right)) <= digits
        assert int(left) + int(right) == int(target)
        assert str(int(target)) == target


@pytest.mark.parametrize("digits", [1, 3, 8])
def test_arrays_are_padded_on_the_right_and_targets_end_with_the_end_id(digits):
    problem = problem_of(digits)
    source, target = problem.batch(0, 0, 500, 500)
    assert source.shape == (500, 2 * digits + 1)
    assert target.shape == (500, digits + 2) == (500, problem.max_target_length)
    assert source.dtype == target.dtype == np.int32
    sources, targets = texts(problem, source, target)
    for row, text in zip(source.tolist(), sources, strict=True):
        ids = problem.source_vocabulary.encode(text)
        assert row == ids + [0] * (len(row) - len(ids))
    for row, text in zip(target.tolist(), targets, strict=True):
        ids = [*problem.target_vocabulary.encode(text), problem.target_vocabulary.end]
        assert row == ids + [0] * (len(row) - len(ids))
    assert not problem.fixed_length


def test_the_longest_sum_fills_all_columns():
    _, target = problem_of(1).batch(0, 0, 500, 500)
    assert (target[:, -1] == problem_of(1).target_vocabulary.end).any()  # from 5+5 on, sums have two digits


def test_operand_lengths_and_numbers_of_a_length_are_drawn_uniformly():
    problem = problem_of(3)
    sources, _ = texts(problem, *problem.batch(0, 0, 30_000, 30_000))
    operands = [operand for source in sources for operand in source.split("+")]
    shares = np.bincount([len(o) for o in operands], minlength=4)[1:] / len(operands)
    assert shares == pytest.approx([1 / 3] * 3, abs=0.01)
    single = np.bincount([int(o) for o in operands if len(o) == 1], minlength=10)
    assert single / single.sum() == pytest.approx([0.1] * 10, abs=0.01)
    assert {min(int(o) for o in operands if len(o) == 3), max(map(int, operands))} == {100, 999}


def test_sums_of_one_digit_include_exactly_all_sources():
    problem = problem_of(1)
    sources, _ = texts(problem, *problem.batch(0, 0, 3000, 3000))
    assert set(sources) == {f"{a}+{b}" for a in range(10) for b in range(10)}
    assert problem.source_space == 100


def test_source_space_is_the_number_of_ordered_pairs():
    assert problem_of(3).source_space == 1_000_000


def test_batches_do_not_depend_on_the_order_of_calls():
    one, other = problem_of(), problem_of()
    other.batch(1, 2, 32, 100)
    for at in [(0, 0), (0, 3), (1, 2)]:
        for x, y in zip(one.batch(*at, 32, 100), other.batch(*at, 32, 100), strict=True):
            assert np.array_equal(x, y)
    assert len(one.batch(0, 3, 32, 100)[0]) == 4


def test_other_seeds_and_splits_have_other_examples():
    drawn = [
        problem_of(seed=7).examples("test", 100).source,
        problem_of(seed=8).examples("test", 100).source,
        problem_of(seed=7).examples("validation", 100).source,
        problem_of(seed=7).batch(0, 0, 100, 100)[0],
        problem_of(seed=7).batch(1, 0, 100, 100)[0],
    ]
    assert len({rows.tobytes() for rows in drawn}) == len(drawn)


def test_a_smaller_count_returns_the_first_examples():
    many, few = (problem_of().examples("validation", n) for n in (300, 41))
    assert np.array_equal(many.source[:41], few.source)
    assert np.array_equal(many.target[:41], few.target)


def test_a_letter_is_not_in_the_vocabulary():
    with pytest.raises(KeyError):
        problem_of().source_vocabulary.encode("1x+2")
