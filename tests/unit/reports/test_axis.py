import math

import pytest

from job.reports.axis import Axis, axis_for


def described(*values, **options):
    return axis_for(values, most=7, **options).labels


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ((0.0, 10.0), ["0", "2", "4", "6", "8", "10"]),
        ((5, 100), ["20", "40", "60", "80", "100"]),
        ((1.55, 3.9), ["1.5", "2.0", "2.5", "3.0", "3.5", "4.0"]),
        ((-4.2, 5.1), ["-4", "-2", "0", "2", "4"]),
        ((0, 600_000), ["0", "100,000", "200,000", "300,000", "400,000", "500,000", "600,000"]),
    ],
)
def test_ticks_are_round_numbers(values, labels):
    assert described(*values) == labels


def test_large_and_small_values_have_an_exponent():
    assert described(0, 3e7) == ["0", "5.0e+06", "1.0e+07", "1.5e+07", "2.0e+07", "2.5e+07", "3.0e+07"]
    assert described(0, 2e-6) == ["0", "5.0e-07", "1.0e-06", "1.5e-06", "2.0e-06"]


def test_limits_and_whole_numbers():
    assert described(0.5, limits=(-0.02, 1.02)) == ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]
    assert described(0.55, 3.45, whole=True) == ["1", "2", "3"]


@pytest.mark.parametrize("value", [0.0, 3.0, -1e30, 1e-300, 5e-324, 1e300])
def test_one_value_is_in_the_middle(value):
    axis = axis_for([value, value], most=7)
    assert axis.share(value) == pytest.approx(0.5)
    assert 1 <= len(axis.ticks) <= 8


@pytest.mark.parametrize("scale", [10.0**k for k in range(-30, 31, 3)])
@pytest.mark.parametrize("values", [(0.3, 0.7), (-1.0, 9.1), (1.0, 1.0 + 1e-7), (123.4, 127.9)])
def test_ticks_are_few_and_inside_and_differ(values, scale):
    axis = axis_for([value * scale for value in values], most=7)
    assert 2 <= len(axis.ticks) <= 8
    assert all(axis.low <= tick <= axis.high for tick in axis.ticks)
    assert all(0 < axis.share(value * scale) < 1 for value in values)
    shown = [float(label.replace(",", "")) for label in axis.labels]
    assert shown == pytest.approx(axis.ticks, abs=0.01 * axis.step)


def test_without_values_there_is_an_axis():
    axis = axis_for([], most=7)
    assert isinstance(axis, Axis)
    assert math.isfinite(axis.share(0.0))
