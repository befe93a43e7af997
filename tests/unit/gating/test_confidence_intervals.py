"""Confidence intervals, and the number of seeds or examples that would decide about a threshold."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from job.gating.confidence_intervals import (
    MeanInterval,
    examples_needed,
    mean_interval,
    round_up,
    seeds_needed,
    within_sampling_error,
)
from job.metrics import METRICS

UNLIMITED = "of_a_plugin"
"""A metric that is not in the table: nothing is known of its range."""


@pytest.mark.parametrize("values", [[0.9, 0.95], [1.0, 2.0, 4.0, 8.0], [0.5, 0.5, 0.5]])
def test_the_interval_of_a_mean_agrees_with_statsmodels(values):
    found, reference = mean_interval(UNLIMITED, values), DescrStatsW(values, ddof=1)
    assert found.mean == pytest.approx(reference.mean)
    assert found.deviation == pytest.approx(reference.std)
    assert (found.low, found.high) == pytest.approx(reference.tconfint_mean(0.05))


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300, 3e307])
def test_the_interval_of_a_mean_is_finite_for_very_large_and_very_small_values(unit):
    found = mean_interval("rmse", [1 * unit, 2 * unit, 3 * unit])
    assert (found.mean, found.deviation) == pytest.approx((2 * unit, unit))
    assert found.low < found.mean < found.high < math.inf


# For two values the interval is m ± 12.7062 * d / 2 with their mean m and difference d.
@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("sequence_accuracy", (0.90, 0.95), (0.6073445, 1.0)),
        ("sequence_accuracy", (0.0, 0.02), (0.0, 0.1370620)),
        ("validation.token_accuracy", (0.2, 0.8), (0.0, 1.0)),
        ("edit_rate", (0.5, 1.0), (0.0, 3.9265512)),
        ("bleu", (30.0, 34.0), (6.5875905, 57.4124095)),
        ("bleu", (10.0, 80.0), (0.0, 100.0)),
        ("rmse", (1.0, 3.0), (0.0, 14.7062047)),
        (UNLIMITED, (-1.0, 1.0), (-12.7062047, 12.7062047)),
    ],
)
def test_the_interval_of_a_mean_is_cut_at_the_possible_range_of_its_metric(metric, values, expected):
    found = mean_interval(metric, values)
    assert (found.low, found.high) == pytest.approx(expected, abs=1e-6)
    assert found.mean == pytest.approx(sum(values) / 2)


@pytest.mark.parametrize("metric", METRICS)
def test_no_metric_has_an_interval_beyond_its_range(metric):
    greatest = METRICS[metric].greatest or math.inf
    found = mean_interval(metric, [0.0, min(greatest, 1000.0)])
    assert (found.low, found.high) == (0.0, pytest.approx(min(greatest, 6853.1), abs=0.1))
    assert (greatest < math.inf) is any(word in metric for word in ("accuracy", "bleu", "chrf"))


def test_cutting_leaves_the_share_of_intervals_that_contain_the_mean():
    draw = np.random.default_rng(3)
    pairs = draw.beta(18, 2, (300, 2))  # accuracies of two seeds around 0.9
    intervals = [mean_interval("sequence_accuracy", pair) for pair in pairs]
    whole = [mean_interval(UNLIMITED, pair) for pair in pairs]
    assert any(each.high > 1 for each in whole)
    assert [each.contains(0.9) for each in intervals] == [each.contains(0.9) for each in whole]


def test_one_seed_has_no_deviation():
    assert mean_interval("sequence_accuracy", [0.25]) == MeanInterval(0.25)


def test_with_the_number_of_seeds_needed_the_interval_ends_before_the_threshold():
    values = [0.985, 0.993, 0.997]
    number = seeds_needed(mean_interval("sequence_accuracy", values), 0.99, 3)
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    halves = [stats.t.ppf(0.975, n - 1) * deviation / math.sqrt(n) for n in (number, number - 1)]
    assert halves[0] < abs(mean - 0.99) <= halves[1]


@pytest.mark.parametrize(("values", "threshold"), [([0.9, 0.9], 0.5), ([0.98, 1.0], 0.99), ([0.98], 0.99)])
def test_no_number_of_seeds_is_needed_or_enough(values, threshold):
    assert seeds_needed(mean_interval("sequence_accuracy", values), threshold, len(values)) is None


@pytest.mark.parametrize(
    ("right", "threshold", "expected"), [(992, 0.99, True), (999, 0.99, False), (97, 0.1, True)]
)
def test_a_threshold_is_within_sampling_error_where_wilsons_interval_contains_it(right, threshold, expected):
    interval = stats.binomtest(right, 1000).proportion_ci(method="wilson")
    assert within_sampling_error(right / 1000, 1000, threshold) is expected
    assert bool(interval.low <= threshold <= interval.high) is expected


def test_with_the_number_of_examples_needed_the_threshold_is_outside_the_interval():
    count = examples_needed(0.992, 0.99)
    assert not within_sampling_error(0.992, count, 0.99)
    assert within_sampling_error(0.992, count - 2, 0.99)
    assert examples_needed(0.99, 0.99) is None


def test_numbers_are_rounded_up_to_two_digits():
    assert [round_up(number) for number in (7, 84, 100, 101, 26_411)] == [7, 84, 100, 110, 27_000]
