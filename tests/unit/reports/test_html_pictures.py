import re

import pytest

from job.reports.html_pictures import SPARKLINE_HEIGHT as HEIGHT
from job.reports.html_pictures import SPARKLINE_WIDTH as WIDTH
from job.reports.html_pictures import sparkline


def points(line):
    return [tuple(map(float, point.split())) for point in re.split("[ML]", line.path)[1:]]


def test_a_sparkline_goes_from_left_to_right_with_the_maximum_at_the_top():
    found = points(sparkline([1.0, 3.0, 2.0], "x"))
    assert [x for x, _ in found] == [2, WIDTH / 2, WIDTH - 2]
    assert [y for _, y in found] == [HEIGHT - 2, 2, HEIGHT / 2]


def test_given_limits_replace_minimum_and_maximum():
    assert [y for _, y in points(sparkline([0.5, 0.5], "x", low=0, high=1))] == [HEIGHT / 2] * 2
    assert [y for _, y in points(sparkline([0.0, 1.0], "x", low=0, high=2))] == [
        HEIGHT - 2,
        HEIGHT / 2,
    ]


@pytest.mark.parametrize("values", [[0.25], [0.25, 0.25], [None, 0.25, float("nan")]])
def test_a_constant_is_a_horizontal_line(values):
    assert {y for _, y in points(sparkline(values, "x"))} == {HEIGHT / 2}


def test_values_that_are_not_finite_are_skipped():
    assert sparkline([1.0, None, float("inf"), 2.0], "x") == sparkline([1.0, 2.0], "x")
    assert sparkline([], "x") is None
    assert sparkline([None, float("nan")], "x") is None


def test_the_description_names_quantity_and_last_value():
    line = sparkline([2.5, 0.123456], "loss")
    assert line.text == "loss, 2 values: from 2.5 to 0.1235"
    assert line.end == points(line)[-1]
    assert sparkline([2.5], "loss").text == "loss: 2.5"
