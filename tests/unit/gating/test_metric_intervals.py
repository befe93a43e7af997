import random
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from sample_results import TUTORIAL
from statsmodels.stats.proportion import proportion_confint

from job.gating.metric_intervals import metric_intervals
from job.results.data_facts import DataFacts, Separators
from job.results.predictions import Prediction

COUNT = 2_000
Z = NormalDist().inv_cdf(0.975)


def result_of(metrics, **facts):
    data = DataFacts(test_examples=COUNT, separators=Separators(source=" ", target=" "), **facts)
    return replace(TUTORIAL, metrics=metrics, data=data)


@pytest.fixture(scope="module")
def noisy():
    """Predictions of two tokens, each wrong in one of ten places, independently."""
    rng = random.Random(5)
    rows = []
    for number in range(COUNT):
        predicted = ["a" if rng.random() < 0.9 else "b" for _ in range(2)]
        rows.append(Prediction(str(number), "a a", "a a", " ".join(predicted), predicted == ["a", "a"]))
    return rows


def test_shares_of_sequences_have_wilsons_interval_over_the_examples_that_they_are_of():
    result = result_of(
        {"sequence_accuracy": 0.8, "unseen_sequence_accuracy": 0.7}, seen_in_training=COUNT // 2
    )
    found = metric_intervals(result, [])
    assert found["sequence_accuracy"] == pytest.approx(
        proportion_confint(0.8 * COUNT, COUNT, method="wilson")
    )
    assert found["unseen_sequence_accuracy"] == pytest.approx(
        proportion_confint(0.35 * COUNT, COUNT / 2, method="wilson")
    )


def test_an_edit_rate_has_the_interval_of_its_standard_error(noisy):
    edits = np.array([row.predicted.split().count("b") for row in noisy])
    rate = edits.sum() / (2 * COUNT)
    low, high = metric_intervals(result_of({"edit_rate": rate}), noisy)["edit_rate"]
    half = Z * (edits / 2).std(ddof=1) / COUNT**0.5
    assert (low, high) == pytest.approx((rate - half, rate + half), abs=0.1 * half)


def test_forecasts_have_an_interval_around_their_error():
    rng = np.random.default_rng(3)
    errors = rng.normal(0, 2, COUNT)
    rows = [Prediction(str(i), "1", "0", repr(float(error)), None) for i, error in enumerate(errors)]
    value = float(np.abs(errors).mean())
    low, high = metric_intervals(result_of({"mae": value}), rows)["mae"]
    half = Z * np.abs(errors).std(ddof=1) / COUNT**0.5
    assert (low, high) == pytest.approx((value - half, value + half), abs=0.1 * half)


def test_the_same_predictions_give_the_same_interval(noisy):
    rate = sum(row.predicted.count("b") for row in noisy) / (2 * COUNT)
    result = result_of({"edit_rate": rate})
    assert metric_intervals(result, noisy) == metric_intervals(result, noisy)


def test_without_predictions_or_without_a_mistake_resampling_shows_nothing():
    result = result_of({"sequence_accuracy": 1.0, "edit_rate": 0.0, "token_accuracy": 1.0})
    right = [Prediction(str(i), "a", "a", "a", True) for i in range(COUNT)]
    for predictions in ([], right):
        found = metric_intervals(result, predictions)
        assert found.keys() == {"sequence_accuracy"}
        assert found["sequence_accuracy"][0] < 1.0


def test_a_test_without_unseen_sources_has_no_interval_of_them():
    result = result_of({"unseen_sequence_accuracy": 0.5}, seen_in_training=COUNT)
    assert metric_intervals(result, []) == {}
