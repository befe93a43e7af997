import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from time_series_problems import problem_of

from job.evaluation.scores import rmse
from job.problems import build_problem
from job.spec.file_locations import checksum
from job.spec.spec_loading import load_spec


def epoch_of(problem, epoch, batch_size):
    """Return all windows of an epoch as lists: (source column, target)."""
    examples = problem.examples_per_epoch("all")
    windows = []
    for index in range(math.ceil(examples / batch_size)):
        source, target = problem.batch(epoch, index, batch_size, examples)
        windows += zip(source[:, :, 0].tolist(), target[:, :, 0].tolist(), strict=True)
    return windows


# --- windows by hand --------------------------------------------------------------------------------------


def test_training_windows_are_within_the_training_rows(tmp_path):
    problem = problem_of(tmp_path)
    assert sorted(epoch_of(problem, 0, 3)) == [
        ([1, 4], [9, 16]),
        ([4, 9], [16, 25]),
        ([9, 16], [25, 36]),
        ([16, 25], [36, 49]),
    ]


def test_training_windows_of_changes(tmp_path):
    problem = problem_of(tmp_path, source_length=3, differencing=1, validation=1)
    assert sorted(epoch_of(problem, 0, 9)) == [([3, 5], [7, 9]), ([5, 7], [9, 11])]


def test_training_windows_of_changes_of_logarithms(tmp_path):
    problem = problem_of(
        tmp_path,
        [2.0**k for k in (0, 1, 3, 6, 10, 15)],
        source_length=2,
        target_length=1,
        logarithm=True,
        differencing=1,
        test=1,
    )
    windows = sorted(epoch_of(problem, 0, 9))
    expected = [([1], [2]), ([2], [3]), ([3], [4])]  # in units of log 2
    assert np.allclose([s + t for s, t in windows], math.log(2) * np.array([s + t for s, t in expected]))


def test_sources_of_evaluation_windows_are_true_values(tmp_path):
    test = problem_of(tmp_path, differencing=1, source_length=3).examples("test", 99)
    assert test.history[:, :, 0].tolist() == [[25, 36, 49], [36, 49, 64], [49, 64, 81]]
    assert test.source[:, :, 0].tolist() == [[11, 13], [13, 15], [15, 17]]
    assert np.array_equal(test.future, [[64, 81], [81, 100], [100, np.nan]], equal_nan=True)
    assert np.array_equal(test.target[:, :, 0], [[15, 17], [17, 19], [19, np.nan]], equal_nan=True)


def test_validation_windows_do_not_reach_the_test_rows(tmp_path):
    problem = problem_of(tmp_path, validation=2)
    validation = problem.examples("validation", 99)
    assert validation.history[:, :, 0].tolist() == [[16, 25], [25, 36]]
    assert np.array_equal(validation.future, [[36, 49], [49, np.nan]], equal_nan=True)
    assert len(problem_of(tmp_path).examples("validation", 99)) == 0


def test_a_smaller_count_returns_the_first_windows_of_a_split(tmp_path):
    problem = problem_of(tmp_path)
    assert np.array_equal(problem.examples("test", 2).history, problem.examples("test", 9).history[:2])


@pytest.mark.parametrize("target_length", [1, 3])
def test_there_is_a_window_for_every_test_row(tmp_path, target_length):
    future = problem_of(tmp_path, target_length=target_length).examples("test", 99).future
    assert future[:, 0].tolist() == [64, 81, 100]
    assert np.isfinite(future).sum() == sum(min(target_length, left) for left in (3, 2, 1))


def test_only_the_forecast_column_is_differenced_and_not_the_covariates(tmp_path):
    more = {"a": [10 * i for i in range(10)], "b": [-i for i in range(10)]}
    problem = problem_of(tmp_path, more=more, covariates=["b", "a"], differencing=1, source_length=3)
    test = problem.examples("test", 1)
    assert problem.series.columns == ("y", "b", "a")
    assert test.history[0].tolist() == [[25, -4, 40], [36, -5, 50], [49, -6, 60]]
    assert test.source[0].tolist() == [[11, -5, 50], [13, -6, 60]]
    assert test.target.shape == (1, 2, 1)
    source, target = problem.batch(0, 0, 2, 2)
    assert (source.shape, target.shape) == ((2, 2, 3), (2, 2, 1))
    assert source.dtype == target.dtype == np.float32


# --- batches ----------------------------------------------------------------------------------------------


def test_every_epoch_has_all_windows_in_another_order(tmp_path):
    problem = problem_of(tmp_path, [float(i) for i in range(60)])
    first, second = (epoch_of(problem, epoch, 7) for epoch in (0, 1))
    assert len(first) == problem.examples_per_epoch("all") == 60 - 3 - 2 - 2 + 1
    assert Counter(map(str, first)) == Counter(map(str, second))
    assert max(Counter(map(str, first)).values()) == 1
    assert first != second


def test_a_batch_depends_on_its_arguments_and_the_seed_only(tmp_path):
    values = [float(i) for i in range(60)]
    problem, same = (problem_of(tmp_path, values) for _ in range(2))
    other = problem_of(tmp_path, values, seed=8)
    later = problem.batch(3, 1, 8, 50)
    problem.batch(0, 0, 8, 50)
    assert all(map(np.array_equal, problem.batch(3, 1, 8, 50), later))
    assert all(map(np.array_equal, same.batch(3, 1, 8, 50), later))
    assert not np.array_equal(other.batch(3, 1, 8, 50)[0], later[0])


def test_every_epoch_has_the_same_subset_of_windows(tmp_path):
    problem = problem_of(tmp_path, [float(i) for i in range(60)])
    assert problem.examples_per_epoch(10) == 10
    taken = [sorted(problem.batch(epoch, 0, 10, 10)[0][:, 0, 0].tolist()) for epoch in (0, 1)]
    assert taken[0] == taken[1]
    assert taken[0] != sorted(range(10))
    with pytest.raises(IndexError, match="54 training windows"):
        problem.batch(0, 0, 10, 55)
    with pytest.raises(IndexError, match="batch 1 of 10"):
        problem.batch(0, 1, 10, 10)


# --- description ------------------------------------------------------------------------------------------


def test_the_description_has_sizes_scales_and_checksums(tmp_path):
    problem = problem_of(tmp_path, validation=1, scaling="minmax")
    assert problem.describe() == {
        "rows": {"train": 6, "validation": 1, "test": 3},
        "train_windows": 3,
        "center": {"y": 18.5},
        "scale": {"y": 17.5},
        "files": {"s.csv": checksum(tmp_path / "s.csv")},
    }


# --- the example --------------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_shampoo_sales_have_the_published_persistence_error():
    """J. Brownlee's tutorials on this series report an RMSE of 136.761 for persistence over the last year."""
    (job, *others) = load_spec(EXAMPLES / "shampoo.yaml").jobs
    assert [other.seed for other in (job, *others)] == [*range(1, 11)]
    problem = build_problem(job.problem, job.seed, EXAMPLES)
    test = problem.examples("test", 99)
    assert rmse(test.history[:, -1, :1], test.future) == pytest.approx(136.761, abs=5e-4)
    assert problem.examples_per_epoch("all") == job.training.batch_size


def test_the_sizes_of_the_example_were_chosen_without_its_test_rows():
    whole, part = ((EXAMPLES / name).read_text() for name in ("shampoo.csv", "shampoo_two_years.csv"))
    assert part.splitlines() == whole.splitlines()[:25]
    assert {job.problem.file for job in load_spec(EXAMPLES / "shampoo_choice.yaml").jobs} == {
        "shampoo_two_years.csv"
    }
