"""Change points in simulated series: how often one is found where there is none, and where it is found."""

import numpy as np
import pytest

from job.trend.change_points import ALPHA, COVERAGE, find_levels, noise_band

SERIES = 200
NOISES = {
    "normal": lambda draw, n: draw.normal(0.95, 0.01, n),
    "heavy tails": lambda draw, n: 0.95 + 0.01 * draw.standard_t(2, n),
    "skewed": lambda draw, n: 8 + draw.exponential(1, n),
    "few values": lambda draw, n: draw.integers(0, 3, n) / 100,
}


def simulated(noise, n, seed=7):
    draw = np.random.default_rng(seed)
    return [NOISES[noise](draw, n) for _ in range(SERIES)]


def cuts(series, alpha=ALPHA):
    return [level.first for level in find_levels(series, alpha)[1:]]


@pytest.mark.parametrize("noise", NOISES)
def test_where_nothing_changed_a_change_is_found_no_oftener_than_promised(noise):
    alpha = 0.05  # so that few series tell
    found = sum(bool(cuts(series, alpha)) for series in simulated(noise, 20))
    assert found <= SERIES * alpha + 3 * (SERIES * alpha * (1 - alpha)) ** 0.5


@pytest.mark.parametrize(
    ("size", "power", "near", "exact"),
    [(2.0, 0.5, 0.4, 0.3), (3.0, 0.9, 0.85, 0.72), (5.0, 0.99, 0.98, 0.95)],
)
def test_a_change_of_some_deviations_is_found_at_the_right_run(size, power, near, exact):
    """20 runs, the 13th being the first bad one; two deviations are too few to tell it from its neighbour."""
    found = []
    for series in simulated("normal", 20):
        series[12:] -= size * 0.01
        found.append(cuts(series))
    assert np.mean([bool(places) for places in found]) >= power
    assert np.mean([any(abs(place - 12) <= 1 for place in places) for places in found]) >= near
    assert np.mean([12 in places for places in found]) >= exact


def test_several_changes_are_found_in_a_year_of_nights():
    series = np.random.default_rng(3).normal(0, 1, 365)
    series[100:] += 3
    series[200:] -= 6
    series[330:] += 3
    found = cuts(series)
    assert len(found) == 3
    assert np.abs(np.subtract(found, [100, 200, 330])).max() <= 2


def test_a_dip_that_was_made_good_has_two_changes():
    draw = np.random.default_rng(4)
    found = []
    for _ in range(50):
        series = draw.normal(0, 1, 36)
        series[12:24] -= 5
        found.append(cuts(series))
    assert sum(places == [12, 24] for places in found) >= 40


@pytest.mark.parametrize("bad", [4, 5, 10, 16])
def test_without_noise_every_change_of_four_nights_or_more_is_found(bad):
    """The same spec and seed give the same number every night, until something changes."""
    assert cuts([0.99] * (20 - bad) + [0.98] * bad) == [20 - bad]


@pytest.mark.parametrize("series", [[0.9], [0.9, 0.8], [0.9] * 30, [0.1, 0.9, 0.5, 0.2]])
def test_few_runs_or_equal_ones_show_no_change(series):
    (level,) = find_levels(series)
    assert (level.first, level.end, level.p_value) == (0, len(series), None)
    assert level.mean == pytest.approx(np.mean(series))


def test_one_run_apart_is_no_change():
    for place in (0, 7, 19):
        series = [0.9 + 0.001 * (i % 3) for i in range(20)]
        series[place] = 0.5
        assert cuts(series) == []


def test_levels_cover_the_series_and_say_how_sure_they_are():
    series = [1.0, 1.1] * 10 + [2.0, 2.1] * 10
    first, second = find_levels(series)
    assert (first.first, first.end, second.first, second.end) == (0, 20, 20, 40)
    assert (first.mean, second.mean) == (pytest.approx(1.05), pytest.approx(2.05))
    assert second.p_value == pytest.approx(1 / 1001)
    assert find_levels(series) == (first, second)


@pytest.mark.parametrize("count", [5, 12, 100])
def test_the_band_holds_as_many_further_runs_as_it_says(count):
    draw = np.random.default_rng(5)
    inside = []
    for _ in range(4000):
        *before, further = draw.normal(10, 2, count + 1)
        low, high = noise_band(before)
        inside.append(low <= further <= high)
    assert np.mean(inside) == pytest.approx(COVERAGE, abs=3 * (COVERAGE * (1 - COVERAGE) / 4000) ** 0.5)


def test_one_run_has_no_band():
    assert noise_band([0.5]) == (None, None)
