"""What is kept of a series with its model, what its report says, and the example's own series."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from series_problems import problem_of

from job.evaluation.scores import rmse
from job.problems import build_problem
from job.problems.windows import Series
from job.spec.file_locations import checksum
from job.spec.loading import load_spec

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
