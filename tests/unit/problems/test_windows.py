import json
import math

import numpy as np
import pytest
from time_series_problems import SQUARES, problem_of

from job.problems.windows import Series

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
def test_scales_depend_on_the_training_rows_only(tmp_path, fields, center, scale):
    problem = problem_of(tmp_path, **fields)
    assert problem.series.centers == pytest.approx((center,))
    assert problem.series.scales == pytest.approx((scale,))
    changed = [*SQUARES[:-3], 1e6, 2.0, 1e9]  # only test rows differ
    assert problem_of(tmp_path, changed, **fields).series == problem.series
    source, _ = problem.batch(0, 0, 1, 1)
    assert np.abs(source).max() <= 2 or fields["scaling"] == "none"


def test_a_constant_column_is_centred_and_not_scaled(tmp_path):
    for scaling in ("standard", "minmax"):
        problem = problem_of(tmp_path, [5.0] * 10, scaling=scaling)
        assert (problem.series.centers, problem.series.scales) == ((5.0,), (1.0,))
        assert not problem.batch(0, 0, 4, 4)[0].any()


SCALINGS = ["standard", "minmax"]


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("constant", ["14.62", "0.1", "-273.15", "1e-200", "9.9e149"])
def test_a_constant_column_with_a_rounded_mean_is_centred_and_not_scaled(tmp_path, scaling, constant):
    """The float mean of 29 times 14.62 is not 14.62, so the standard deviation is not 0."""
    values = [float(i % 4) for i in range(32)]
    more = {"a": [constant] * 32}
    problem = problem_of(tmp_path, values, more=more, covariates=["a"], scaling=scaling)
    assert (problem.series.centers[1], problem.series.scales[1]) == (float(constant), 1.0)
    assert not problem.examples("test", 9).source[:, :, 1].any()
    target = problem_of(tmp_path, [constant] * 32, scaling=scaling)
    assert (target.series.centers, target.series.scales) == ((float(constant),), (1.0,))


@pytest.mark.parametrize("scaling", SCALINGS)
def test_a_column_that_varies_by_rounding_errors_only_is_constant(tmp_path, scaling):
    noisy = ["14.62" if i % 2 else "14.620000000000003" for i in range(32)]
    rising = [repr(1000 + 0.1 * i) for i in range(32)]  # changes of 0.1, with the rounding error of 1000
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
def test_a_small_real_variation_is_scaled(tmp_path, scaling, offset, step):
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
def test_forecasts_invert_targets(tmp_path, scaling, differencing, logarithm):
    problem = problem_of(
        tmp_path, scaling=scaling, differencing=differencing, logarithm=logarithm, target_length=3
    )
    test = problem.examples("test", 99)
    back = problem.series.forecasts(test.history, test.target[:, :, 0])
    np.testing.assert_allclose(back, test.future, rtol=1e-6)
    assert back.dtype == np.float64


def test_forecasts_invert_targets_exactly_without_scaling(tmp_path):
    problem = problem_of(tmp_path, differencing=1)
    test = problem.examples("test", 99)
    back = problem.series.forecasts(test.history, test.target[:, :, 0])
    assert np.array_equal(back, test.future, equal_nan=True)


def test_the_given_windows_are_not_modified(tmp_path):
    problem = problem_of(tmp_path, scaling="standard", differencing=1, logarithm=True)
    history = problem.examples("test", 1).history
    before = history.copy()
    problem.series.sources(history)
    assert np.array_equal(history, before)


# --- JSON and text ----------------------------------------------------------------------------------------

SERIES = Series(
    columns=("y", "a"),
    unit="t",
    source_length=3,
    target_length=2,
    logarithm=False,
    differencing=1,
    centers=(0.1, 1 / 3),
    scales=(0.7, 1e-9),
    decimals=4,
)


def test_json_round_trip_restores_exact_floats():
    assert Series.from_json(json.loads(json.dumps(SERIES.to_json()))) == SERIES


@pytest.mark.parametrize(
    "change",
    [
        {"columns": []},
        {"columns": ["y"]},
        {"scales": [1.0, 0.0]},
        {"scales": [1.0, math.inf]},
        {"centers": [math.nan, 0.0]},
        {"centers": ["a", 0.0]},
        {"differencing": 3},
        {"target_length": 0},
        {"target_length": "2"},
        {"new": 1},
    ],
)
def test_invalid_values_in_json_are_an_error(change):
    with pytest.raises(ValueError, match="not a series"):
        Series.from_json({**SERIES.to_json(), **change})


def test_a_missing_key_in_json_is_an_error():
    record = SERIES.to_json()
    for key in record:
        with pytest.raises(ValueError, match="not a series"):
            Series.from_json({k: v for k, v in record.items() if k != key})


@pytest.mark.parametrize(
    ("cells", "decimals", "text"),
    [
        (["1.5", "2", "3.25", "4", "5", "6", "7"], 5, "0.33333 -12.0"),
        (["1", "2", "3", "4", "5", "6", "7"], 3, "0.333 -12.0"),
        (["1e-3", "2E2", "+3.", ".5", "5", "6", "-7"], 6, "0.333333 -12.0"),
        (["0e-99999999999999999999", "2", "3", "4", "5", "6", "7"], 333, f"{1 / 3!r} -12.0"),
        (["0e99999999999999999999", "2", "3", "4", "5", "6", "7"], 3, "0.333 -12.0"),
    ],
)
def test_forecasts_have_three_more_decimals_than_the_data(tmp_path, cells, decimals, text):
    series = problem_of(tmp_path, cells, test=1, target_length=1).series
    assert series.decimals == decimals
    assert series.write(np.array([1 / 3, -12.0])) == text
