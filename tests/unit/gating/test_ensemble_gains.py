"""Gains of an ensemble and their p-values, against enumeration."""

from itertools import product

import numpy as np
import pytest
from recording import a_forecast, right_and_wrong

from job.gating.ensemble_gains import Scored, ensemble_metrics


def scored(wrong, count=200):
    rows = right_and_wrong(count, wrong)
    return Scored(metrics={"sequence_accuracy": 1 - len(wrong) / count}, predictions=rows)


def test_the_gain_is_over_the_mean_and_over_the_best_single_model():
    singles = {"a": scored(range(60)), "b": scored(range(20, 60)), "c": scored(range(40, 90))}
    (found,) = ensemble_metrics(scored(range(40, 50)), singles, str.split)
    assert (found.metric, found.value, found.best_job) == ("sequence_accuracy", 0.95, "b")
    assert found.singles == pytest.approx((0.7, 0.8, 0.75))
    assert (found.mean, found.best) == pytest.approx((0.75, 0.8))
    assert (found.gain_over_mean, found.gain_over_best) == pytest.approx((0.2, 0.15))
    assert found.p_value_over_mean < 0.001 > found.p_value_over_best


def test_less_error_is_a_gain():
    def forecasts(error):
        rows = [a_forecast(i, 10.0 * i, 10.0 * i + error * (-1) ** i) for i in range(30)]
        return Scored(metrics={"rmse": abs(error)}, predictions=rows)

    (found,) = ensemble_metrics(forecasts(1.0), {"a": forecasts(2.0), "b": forecasts(4.0)}, None)
    assert (found.gain_over_mean, found.gain_over_best, found.best_job) == (2.0, 1.0, "a")


def test_the_p_value_is_that_of_all_resamples_of_a_few_examples():
    """The difference of the ensemble and the mean of two models, over all resamples of seven examples."""
    wrong, one, two = (0,), (0, 1, 2), (1, 3)
    together, singles = scored(wrong, 7), {"a": scored(one, 7), "b": scored(two, 7)}
    (found,) = ensemble_metrics(together, singles, str.split)
    right = np.array([[i not in each for i in range(7)] for each in (wrong, one, two)], float)
    changes = right[0] - right[1:].mean(axis=0)
    centred = (changes - changes.mean()) * np.sqrt(7 / 6)
    means = np.array([centred[list(drawn)].mean() for drawn in product(range(7), repeat=7)])
    expected = np.mean(np.abs(means) >= abs(changes.mean()) * (1 - 1e-12))
    assert found.p_value_over_mean == pytest.approx(expected, abs=0.02)


def test_without_a_difference_the_p_value_is_1():
    (found,) = ensemble_metrics(scored([1]), {"a": scored([1]), "b": scored([1])}, str.split)
    assert (found.p_value_over_mean, found.p_value_over_best, found.gain_over_best) == (1.0, 1.0, 0.0)
