import gzip
import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from job.errors import DataErrors
from job.evaluation.scores import rmse
from job.problems import build_problem
from job.problems.windows import Series
from job.spec.file_locations import checksum
from job.spec.loading import load_spec
from job.spec.time_series_section import TimeSeriesSpec

SQUARES = [float(i * i) for i in range(1, 11)]  # changes 3, 5, 7, ... 19


def spec_of(**fields):
    sizes = {"source_length": 2, "target_length": 2, "test": 3}
    defaults = {"file": "s.csv", "column": "y", "scaling": "none", **sizes}
    return TimeSeriesSpec(kind="time_series", **{**defaults, **fields})


def problem_of(tmp_path, values=SQUARES, seed=7, more=None, **fields):
    """A problem over a file with the columns `t`, `y` and those of `more`."""
    columns = {"t": range(len(values)), "y": values, **(more or {})}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (tmp_path / "s.csv").write_text("\n".join(lines) + "\n")
    return build_problem(spec_of(**fields), seed, tmp_path)


def epoch_of(problem, epoch, batch_size):
    """Every window of an epoch: (source column, target), as lists."""
    examples = problem.examples_per_epoch("all")
    windows = []
    for index in range(math.ceil(examples / batch_size)):
        source, target = problem.batch(epoch, index, batch_size, examples)
        windows += zip(source[:, :, 0].tolist(), target[:, :, 0].tolist(), strict=True)
    return windows


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


# --- what is kept with a model ----------------------------------------------------------------------------

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


def test_a_series_survives_json_bit_by_bit():
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
def test_json_of_no_series_is_an_error(change):
    with pytest.raises(ValueError, match="not a series"):
        Series.from_json({**SERIES.to_json(), **change})


def test_json_without_a_key_is_an_error():
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
def test_forecasts_are_written_with_three_digits_more_than_the_data(tmp_path, cells, decimals, text):
    series = problem_of(tmp_path, cells, test=1, target_length=1).series
    assert series.decimals == decimals
    assert series.write(np.array([1 / 3, -12.0])) == text


def test_the_report_says_sizes_scales_and_checksums(tmp_path):
    problem = problem_of(tmp_path, validation=1, scaling="minmax")
    assert problem.describe() == {
        "rows": {"train": 6, "validation": 1, "test": 3},
        "train_windows": 3,
        "center": {"y": 18.5},
        "scale": {"y": 17.5},
        "files": {"s.csv": checksum(tmp_path / "s.csv")},
    }


# --- what is wrong ----------------------------------------------------------------------------------------

GOOD = "".join(f"{i},{i}\n" for i in range(10))

BAD = {
    "no file": (None, {}, [(0, "file", "the file is not there")]),
    "empty file": (" \n", {}, [(0, "file", "the file is empty")]),
    "no such column": ("t,x\n" + GOOD, {}, [(1, "column", "no column 'y'; it has t, x")]),
    "misspelt column": (
        "t,yy_long\n" + GOOD,
        {"column": "yy_lonh"},
        [(1, "column", "did you mean 'yy_long'?")],
    ),
    "no such covariates": (
        "t,y\n" + GOOD,
        {"covariates": ["a", "t", "b"]},
        [(1, "covariates", "no column 'a'"), (1, "covariates", "no column 'b'")],
    ),
    "column twice": ("y,y\n" + GOOD, {}, [(1, "column", "2 columns of the file are named 'y'")]),
    "no rows": ("t,y\n", {}, [(0, "file", "no rows under the names")]),
    "text": ("t,y\n1,2\n2,x\n", {}, [(3, "", "y is 'x'; expected a number")]),
    "gap": ("t,y\n1,2\n2,\n3,4\n", {}, [(3, "", "y is ''; expected a number (a series has no gaps)")]),
    "not finite": (
        "t,y\n1,nan\n2,inf\n3,1e999\n",
        {},
        [(2, "", "y is 'nan'"), (3, "", "y is 'inf'"), (4, "", "y is '1e999'")],
    ),
    "Python's numbers": ("t,y\n1,1_000\n2,\u0661\n", {}, [(2, "", "'1_000'"), (3, "", "'\u0661'")]),
    "decimal comma": ('t,y\n1,"1,5"\n', {}, [(2, "", "y is '1,5'")]),
    "several cells of a row": (
        "t,y,z\n1,a,b\n",
        {"covariates": ["z"]},
        [(2, "", "y is 'a', z is 'b'; expected a number")],
    ),
    "cell too many and too few": (
        "t,y\n1,2,3\n4\n5,6\n",
        {},
        [(2, "", "3 cells, but the first line names 2"), (3, "", "1 cells, but the first line names 2")],
    ),
    "blank line between": ("t,y\n1,2\n\n3,4\n", {}, [(3, "", "blank in the middle")]),
    "lines counted though a cell has two": ('t,y\n"a\nb",2\n1,x\n', {}, [(4, "", "y is 'x'")]),
    "open quotes": ('t,y\n1,2\n"3,4\n', {}, [(3, "file", "no CSV (unexpected end of data)")]),
    "not UTF-8": (b"t,y\n1,2\n\xff,3\n", {}, [(3, "file", "not UTF-8 (byte 0xff at byte 1 of the line)")]),
    "no logarithm": (
        "t,y\n1,2\n2,0\n3,-1\n",
        {"logarithm": True},
        [(3, "", "y is 0, which has no logarithm"), (4, "", "y is -1, which has no logarithm")],
    ),
    "too few rows to train on": (
        "t,y\n" + GOOD,
        {"source_length": 6, "test": 3},
        [
            (
                0,
                "source_length",
                "s.csv has 10 rows; test 3 leaves 7 to train on, but a window of source_length 6",
            )
        ],
    ),
    "nothing left but the test": (
        "t,y\n" + GOOD,
        {"test": 8, "validation": 4},
        [(0, "test", "test 8 and validation 4 leave 0 to train on")],
    ),
    "column and cells at once": (
        "t,y\n1,x\n",
        {"covariates": ["a"]},
        [(1, "covariates", "no column 'a'"), (2, "", "y is 'x'")],
    ),
    "too large to be squared": (
        "t,y,z\n1,1.7e308,2\n2,3,-1e151\n3,-2e200,1e160\n",
        {"covariates": ["z"]},
        [
            (2, "", "y is 1.7e308; expected numbers of magnitude 1e+150 at most"),
            (3, "", "z is -1e151;"),
            (4, "", "y is -2e200, z is 1e160;"),
        ],
    ),
    "too large for float32": (
        "t,y,z\n" + "1,2,3\n" * 9 + "1,4e16,3\n1,2,-1e40\n",
        {"covariates": ["z"]},
        [
            (
                11,
                "",
                "y is 4e+16, which enters the model as 4e+16 (unchanged); expected a magnitude of at most",
            ),
            (12, "", "z is -1e+40"),
        ],
    ),
    "a change too large for float32": (
        "t,y\n" + "1,2\n" * 8 + "1,4e16\n1,4e16\n1,4e16\n",
        {"differencing": 1, "source_length": 3},
        [(10, "", "enters the model as 4e+16 (its change from the row before)")],
    ),
    "too large beside the training rows": (
        "t,y\n" + "1,2\n1,3\n" * 5 + "1,1e30\n",
        {"scaling": "minmax"},
        [(12, "", "y is 1e+30, which enters the model as 2e+30 (less 2.5, divided by 0.5)")],
    ),
    "very many bad rows": (
        "t,y\n" + "1,x\n" * 25,
        {},
        [*((line, "", "y is 'x'") for line in range(2, 22)), (0, "file", "5 more rows")],
    ),
}


@pytest.mark.parametrize(("content", "fields", "expected"), BAD.values(), ids=BAD.keys())
def test_all_that_is_wrong_is_said_at_once(tmp_path, content, fields, expected):
    if content is not None:
        (tmp_path / "s.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataErrors) as caught:
        build_problem(spec_of(**fields), 7, tmp_path)
    errors = caught.value.errors
    assert [(error.line, error.key) for error in errors] == [(line, key) for line, key, _ in expected]
    for error, (line, _, part) in zip(errors, expected, strict=True):
        assert part in error.message
        assert "\n" not in error.message
        assert (error.file == tmp_path / "s.csv") == (line > 0 or error.key == "file")


def test_a_directory_is_no_file(tmp_path):
    (tmp_path / "s.csv").mkdir()
    with pytest.raises(DataErrors, match="the file is a directory"):
        build_problem(spec_of(), 7, tmp_path)


def test_a_package_that_is_not_installed(tmp_path):
    with pytest.raises(DataErrors) as caught:
        build_problem(spec_of(file="package:no_such_package/s.csv"), 7, tmp_path)
    assert [error.key for error in caught.value.errors] == ["file"]


def test_what_spreadsheets_write_is_read(tmp_path):
    rows = "".join(f' {i} ,"{i}.5"\r\n' for i in range(10))
    (tmp_path / "s.csv").write_bytes(b"\xef\xbb\xbf" + ("t, y \r\n" + rows + "\r\n\r\n").encode())
    problem = build_problem(spec_of(), 7, tmp_path)
    assert problem.examples("test", 1).history[0, :, 0].tolist() == [5.5, 6.5]


def test_a_compressed_file_is_read(tmp_path):
    problem = problem_of(tmp_path)
    (tmp_path / "s.csv.gz").write_bytes(gzip.compress((tmp_path / "s.csv").read_bytes()))
    packed = build_problem(spec_of(file="s.csv.gz"), 7, tmp_path)
    assert np.array_equal(packed.examples("test", 9).history, problem.examples("test", 9).history)


# --- the example --------------------------------------------------------------------------------------------

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_shampoo_sales_are_those_that_others_measured():
    """Persistence over the last year has an RMSE of 136.761 in J. Brownlee's tutorials on this series."""
    (job, *others) = load_spec(EXAMPLES / "shampoo.yaml").jobs
    assert [other.seed for other in (job, *others)] == [*range(1, 11)]
    problem = build_problem(job.problem, job.seed, EXAMPLES)
    test = problem.examples("test", 99)
    assert rmse(test.history[:, -1, :1], test.future) == pytest.approx(136.761, abs=5e-4)
    assert problem.examples_per_epoch("all") == job.training.batch_size


def test_the_sizes_of_the_example_were_chosen_without_its_test():
    whole, part = ((EXAMPLES / name).read_text() for name in ("shampoo.csv", "shampoo_two_years.csv"))
    assert part.splitlines() == whole.splitlines()[:25]
    assert {job.problem.file for job in load_spec(EXAMPLES / "shampoo_choice.yaml").jobs} == {
        "shampoo_two_years.csv"
    }
