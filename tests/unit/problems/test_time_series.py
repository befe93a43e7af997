"""Windows, batches and scales of a time series."""

import math
from collections import Counter

import numpy as np
import pytest
from series_problems import SQUARES, epoch_of, problem_of

# --- windows by hand --------------------------------------------------------------------------------------


def test_training_windows_lie_in_the_training_rows(tmp_path):
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
    expected = [([1], [2]), ([2], [3]), ([3], [4])]  # times log 2
    assert np.allclose([s + t for s, t in windows], math.log(2) * np.array([s + t for s, t in expected]))


def test_evaluation_walks_forward_over_the_true_history(tmp_path):
    test = problem_of(tmp_path, differencing=1, source_length=3).examples("test", 99)
    assert test.history[:, :, 0].tolist() == [[25, 36, 49], [36, 49, 64], [49, 64, 81]]
    assert test.source[:, :, 0].tolist() == [[11, 13], [13, 15], [15, 17]]
    assert np.array_equal(test.future, [[64, 81], [81, 100], [100, np.nan]], equal_nan=True)
    assert np.array_equal(test.target[:, :, 0], [[15, 17], [17, 19], [19, np.nan]], equal_nan=True)


def test_validation_never_looks_at_the_test(tmp_path):
    problem = problem_of(tmp_path, validation=2)
    validation = problem.examples("validation", 99)
    assert validation.history[:, :, 0].tolist() == [[16, 25], [25, 36]]
    assert np.array_equal(validation.future, [[36, 49], [49, np.nan]], equal_nan=True)
    assert len(problem_of(tmp_path).examples("validation", 99)) == 0


def test_the_first_windows_of_a_side_are_taken(tmp_path):
    problem = problem_of(tmp_path)
    assert np.array_equal(problem.examples("test", 2).history, problem.examples("test", 9).history[:2])


@pytest.mark.parametrize("target_length", [1, 3])
def test_every_test_row_is_forecast(tmp_path, target_length):
    future = problem_of(tmp_path, target_length=target_length).examples("test", 99).future
    assert future[:, 0].tolist() == [64, 81, 100]
    assert np.isfinite(future).sum() == sum(min(target_length, left) for left in (3, 2, 1))


def test_covariates_stand_beside_the_column_and_only_the_column_is_changed(tmp_path):
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


def test_an_epoch_has_every_window_once_in_an_order_of_its_own(tmp_path):
    problem = problem_of(tmp_path, [float(i) for i in range(60)])
    first, second = (epoch_of(problem, epoch, 7) for epoch in (0, 1))
    assert len(first) == problem.examples_per_epoch("all") == 60 - 3 - 2 - 2 + 1
    assert Counter(map(str, first)) == Counter(map(str, second))
    assert max(Counter(map(str, first)).values()) == 1
    assert first != second


def test_a_batch_depends_on_its_place_and_the_seed_alone(tmp_path):
    values = [float(i) for i in range(60)]
    problem, same = (problem_of(tmp_path, values) for _ in range(2))
    other = problem_of(tmp_path, values, seed=8)
    later = problem.batch(3, 1, 8, 50)
    problem.batch(0, 0, 8, 50)
    assert all(map(np.array_equal, problem.batch(3, 1, 8, 50), later))
    assert all(map(np.array_equal, same.batch(3, 1, 8, 50), later))
    assert not np.array_equal(other.batch(3, 1, 8, 50)[0], later[0])


def test_fewer_examples_are_the_same_ones_in_every_epoch(tmp_path):
    problem = problem_of(tmp_path, [float(i) for i in range(60)])
    assert problem.examples_per_epoch(10) == 10
    taken = [sorted(problem.batch(epoch, 0, 10, 10)[0][:, 0, 0].tolist()) for epoch in (0, 1)]
    assert taken[0] == taken[1]
    assert taken[0] != sorted(range(10))
    with pytest.raises(IndexError, match="54 training windows"):
        problem.batch(0, 0, 10, 55)
    with pytest.raises(IndexError, match="batch 1 of 10"):
        problem.batch(0, 1, 10, 10)


# --- scaling ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "center", "scale"),
    [
        ({"scaling": "none"}, 0, 1),
        ({"scaling": "standard"}, 20, math.sqrt(np.mean([361, 256, 121, 16, 25, 256, 841]))),
        ({"scaling": "minmax"}, 25, 24),
        ({"scaling": "standard", "differencing": 1}, 8, math.sqrt(np.mean([25, 9, 1, 1, 9, 25]))),
        ({"scaling": "minmax", "differencing": 1}, 8, 5),
        ({"scaling": "minmax", "logarithm": True}, math.log(7), math.log(7)),
        ({"scaling": "minmax", "validation": 2}, 13, 12),
    ],
)
def test_scales_are_fitted_on_the_training_rows_alone(tmp_path, fields, center, scale):
    problem = problem_of(tmp_path, **fields)
    assert problem.series.centers == pytest.approx((center,))
    assert problem.series.scales == pytest.approx((scale,))
    changed = [*SQUARES[:-3], 1e6, 2.0, 1e9]  # the test rows
    assert problem_of(tmp_path, changed, **fields).series == problem.series
    source, _ = problem.batch(0, 0, 1, 1)
    assert np.abs(source).max() <= 2 or fields["scaling"] == "none"


def test_a_column_without_variation_is_only_centred(tmp_path):
    for scaling in ("standard", "minmax"):
        problem = problem_of(tmp_path, [5.0] * 10, scaling=scaling)
        assert (problem.series.centers, problem.series.scales) == ((5.0,), (1.0,))
        assert not problem.batch(0, 0, 4, 4)[0].any()


SCALINGS = ["standard", "minmax"]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("constant", ["14.62", "0.1", "-273.15", "1e-200", "9.9e149"])
def test_a_constant_whose_mean_is_rounded_is_only_centred(tmp_path, scaling, constant):
    """The mean of 29 times 14.62 is another number, and the standard deviation so no zero."""
    values = [float(i % 4) for i in range(32)]
    more = {"a": [constant] * 32}
    problem = problem_of(tmp_path, values, more=more, covariates=["a"], scaling=scaling)
    assert (problem.series.centers[1], problem.series.scales[1]) == (float(constant), 1.0)
    assert not problem.examples("test", 9).source[:, :, 1].any()
    target = problem_of(tmp_path, [constant] * 32, scaling=scaling)
    assert (target.series.centers, target.series.scales) == ((float(constant),), (1.0,))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_what_varies_by_rounding_alone_is_constant(tmp_path, scaling):
    noisy = ["14.62" if i % 2 else "14.620000000000003" for i in range(32)]
    rising = [repr(1000 + 0.1 * i) for i in range(32)]  # changes of 0.1, off by the rounding of 1000
    growing = [repr(1.1**i) for i in range(32)]  # logarithms that change by log 1.1
    assert problem_of(tmp_path, noisy, scaling=scaling).series.scales == (1.0,)
    assert problem_of(tmp_path, rising, scaling=scaling, differencing=1).series.scales == (1.0,)
    changes = problem_of(tmp_path, growing, scaling=scaling, differencing=1, logarithm=True).series
    assert changes.scales == (1.0,)
    assert changes.centers == pytest.approx((math.log(1.1),))


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize(
    ("offset", "step"), [(1.7e9, 1.0), (1e6, 1e-4), (0.0, 1e-300), (0.0, 1e-170), (14.62, 1e-9)]
)
def test_what_truly_varies_is_scaled_however_little_it_is(tmp_path, scaling, offset, step):
    values = [repr(offset + step * (i % 4)) for i in range(32)]
    problem = problem_of(tmp_path, values, scaling=scaling)
    source = problem.batch(0, 0, 20, 20)[0]
    assert 0.5 < source.max() < 2
    assert -2 < source.min() < -0.5


def test_each_column_has_its_own_scale(tmp_path):
    problem = problem_of(tmp_path, more={"a": range(0, 1000, 100)}, covariates=["a"], scaling="minmax")
    assert problem.series.centers == (25.0, 300.0)
    assert problem.series.scales == (24.0, 300.0)


@pytest.mark.parametrize("scaling", ["none", "standard", "minmax"])
@pytest.mark.parametrize("differencing", [0, 1])
@pytest.mark.parametrize("logarithm", [False, True])
def test_a_forecast_of_the_targets_themselves_is_the_future(tmp_path, scaling, differencing, logarithm):
    problem = problem_of(
        tmp_path, scaling=scaling, differencing=differencing, logarithm=logarithm, target_length=3
    )
    test = problem.examples("test", 99)
    back = problem.series.forecasts(test.history, test.target[:, :, 0])
    np.testing.assert_allclose(back, test.future, rtol=1e-6)
    assert back.dtype == np.float64


def test_without_scale_the_way_there_and_back_is_exact(tmp_path):
    problem = problem_of(tmp_path, differencing=1)
    test = problem.examples("test", 99)
    back = problem.series.forecasts(test.history, test.target[:, :, 0])
    assert np.array_equal(back, test.future, equal_nan=True)


def test_windows_are_left_as_they_are(tmp_path):
    problem = problem_of(tmp_path, scaling="standard", differencing=1, logarithm=True)
    history = problem.examples("test", 1).history
    before = history.copy()
    problem.series.sources(history)
    assert np.array_equal(history, before)
