"""The order, the intervals and the ties of a ranking, against enumeration and scipy."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from recording import a_forecast, right_and_wrong
from scipy import stats

from job.gating.ranking import ALPHA, NO_EXAMPLES, RESAMPLES, Candidate, rank_jobs
from job.results.predictions import Prediction


def accuracy_job(name, wrong, count=200, *, offset=0, problem="p"):
    predictions = right_and_wrong(count, wrong, offset)
    value = sum(p.correct for p in predictions) / count
    return Candidate(
        name=name, value=value, examples=count, predictions=predictions, split=str.split, problem=problem
    )


def forecast_job(name, errors):
    predictions = [a_forecast(i, 10.0 * i, 10.0 * i + float(error)) for i, error in enumerate(errors)]
    value = math.sqrt(np.mean(np.square(errors)))
    return Candidate(name=name, value=value, examples=len(errors), predictions=predictions, problem="p")


# --- order --------------------------------------------------------------------------------------------------


def test_the_best_is_first_whichever_direction_is_better():
    jobs = [accuracy_job("some", range(20)), accuracy_job("all", []), accuracy_job("few", range(90))]
    assert [job.name for job in rank_jobs("sequence_accuracy", jobs)] == ["all", "some", "few"]
    errors = [forecast_job("large", [2.0, -3.0]), forecast_job("small", [1.0, 1.0])]
    assert [job.name for job in rank_jobs("rmse", errors)] == ["small", "large"]


def test_equal_jobs_stay_in_their_order_and_are_tied():
    ranked = rank_jobs("sequence_accuracy", [accuracy_job(name, [3]) for name in "bac"])
    assert [job.name for job in ranked] == ["b", "a", "c"]
    assert [job.comparison for job in ranked] == ["best", "paired", "paired"]
    assert [job.tied_with_best for job in ranked] == [True] * 3
    assert [job.p_value for job in ranked] == [None, 1.0, 1.0]


def test_one_job_is_the_best_and_no_job_is_none():
    (only,) = rank_jobs("sequence_accuracy", [accuracy_job("only", [1, 2])])
    assert (only.comparison, only.tied_with_best, only.p_value) == ("best", True, None)
    assert rank_jobs("sequence_accuracy", []) == ()


@pytest.mark.parametrize("metric", ["edit_rate", "rmse"])
def test_resamples_of_flawless_predictions_show_no_interval(metric):
    rows = right_and_wrong(5, [])
    job = (
        forecast_job("a", [0.0] * 5)
        if metric == "rmse"
        else Candidate(name="a", value=0.0, examples=5, predictions=rows, split=str.split, problem="p")
    )
    assert rank_jobs(metric, [job])[0].interval is None


def test_why_jobs_are_compared_as_independent_samples():
    def job(name, wrong, **changed):
        return replace(accuracy_job(name, range(wrong), 1000), **changed)

    by_unseen = rank_jobs("unseen_sequence_accuracy", [job("a", 40), job("b", 52)])[1]
    assert by_unseen.comparison == "unpaired"
    assert by_unseen.detail.startswith("which of the examples count is not recorded")
    unrecorded = rank_jobs("sequence_accuracy", [job("a", 40), job("b", 52, predictions=())])[1]
    assert unrecorded.detail == "the predictions of b are not recorded"
    others = [accuracy_job("a", range(40), 1000), accuracy_job("b", range(52), 1000, offset=1)]
    assert rank_jobs("sequence_accuracy", others)[1].detail == "its examples are not those of a"


def test_a_bleu_of_other_tokens_is_not_compared():
    rows = [Prediction(str(i), "s", "a b c d.", "a b c d.", True) for i in range(9)]
    jobs = [
        Candidate(name=name, value=100.0, examples=9, predictions=rows, problem=name, tokenize=name)
        for name in ("none", "13a")
    ]
    assert [job.comparison for job in rank_jobs("bleu", jobs)] == ["best", "not_comparable"]


# --- paired -------------------------------------------------------------------------------------------------


def enumerated_p_value(best, other):
    """The two-sided p-value of a mean over all resamples of a few examples."""
    changes = np.subtract(other, best).astype(float)
    count, mean = len(changes), changes.mean()
    centred = (changes - mean) * math.sqrt(count / (count - 1))
    draws = np.array([*itertools.product(centred, repeat=count)]).mean(axis=1)
    return np.mean(np.abs(draws) >= abs(mean) - 1e-12)


@pytest.mark.parametrize("other", [[0, 1, 0, 1, 1, 1], [1, 0, 0, 0, 1, 1], [1, 1, 1, 0, 1, 1]])
def test_paired_p_value_of_an_accuracy_is_that_of_all_resamples(other):
    best = [1, 1, 1, 1, 1, 1]
    wrong = {
        name: [i for i, right in enumerate(row) if not right] for name, row in (("a", best), ("b", other))
    }
    ranked = rank_jobs("sequence_accuracy", [accuracy_job(name, wrong[name], 6) for name in "ab"])
    expected = max(enumerated_p_value(best, other), 2 * 0.5**6)
    assert ranked[1].p_value == pytest.approx(expected, abs=4 / math.sqrt(RESAMPLES))


def test_paired_p_value_of_an_rmse_is_that_of_a_plain_bootstrap():
    rng = np.random.default_rng(3)
    small, large = rng.normal(0, 1.0, 50), rng.normal(0, 1.25, 50)
    ranked = rank_jobs("rmse", [forecast_job("small", small), forecast_job("large", large)])
    drawn = rng.integers(0, 50, (20_000, 50))
    scores = [np.sqrt((errors[drawn] ** 2).mean(axis=1)) for errors in (small, large)]
    observed = math.sqrt(np.mean(large**2)) - math.sqrt(np.mean(small**2))
    centred = (scores[1] - scores[0] - observed) * math.sqrt(50 / 49)
    assert ranked[1].p_value == pytest.approx(np.mean(np.abs(centred) >= observed), abs=0.02)


def test_pairing_tells_apart_what_independent_samples_could_not():
    hard = range(100)
    ranked = rank_jobs("sequence_accuracy", [accuracy_job("a", hard), accuracy_job("b", range(112))])
    assert not ranked[1].tied_with_best
    others = rank_jobs(
        "sequence_accuracy", [accuracy_job("a", hard), accuracy_job("b", range(112), offset=900)]
    )
    assert others[1].comparison == "unpaired"
    assert others[1].tied_with_best


def test_p_values_are_adjusted_for_the_number_of_comparisons():
    best, other = accuracy_job("best", []), accuracy_job("other", range(7))
    (_, alone) = rank_jobs("sequence_accuracy", [best, other])
    many = [best, *(accuracy_job(f"other-{i}", range(7)) for i in range(5))]
    adjusted = rank_jobs("sequence_accuracy", many)[1:]
    assert [job.p_value for job in adjusted] == [pytest.approx(5 * alone.p_value)] * 5
    assert (alone.tied_with_best, adjusted[0].tied_with_best) == (False, 5 * alone.p_value > ALPHA)


def test_a_few_examples_prove_nothing_however_they_fall():
    ranked = rank_jobs("sequence_accuracy", [accuracy_job("a", [], 5), accuracy_job("b", range(5), 5)])
    assert ranked[1].p_value == pytest.approx(2 * 0.5**5)
    assert ranked[1].tied_with_best


def test_the_same_target_values_are_the_same_examples_for_every_input():
    a = forecast_job("a", [1.0, 2.0, 1.0])
    longer = [Prediction(p.id, f"9 9 {p.source}", p.target, p.predicted, None) for p in a.predictions]
    b = Candidate(name="b", value=a.value, examples=3, predictions=longer, problem="q")
    assert rank_jobs("rmse", [a, b])[1].comparison == "paired"


# --- unpaired and not comparable ----------------------------------------------------------------------------


def test_shares_of_other_examples_are_compared_by_fisher():
    a, b = accuracy_job("a", range(10)), accuracy_job("b", range(25), offset=500)
    ranked = rank_jobs("sequence_accuracy", [a, b])
    one_sided = stats.fisher_exact([[190, 10], [175, 25]], alternative="greater").pvalue
    assert (ranked[1].comparison, ranked[1].p_value) == ("unpaired", pytest.approx(2 * one_sided))
    assert ranked[1].detail == "its examples are not those of a"


def test_errors_on_other_examples_are_compared_by_independent_resamples():
    rng = np.random.default_rng(5)
    a = forecast_job("a", rng.normal(0, 1, 60))
    b = forecast_job("b", rng.normal(0, 1.3, 80))
    (_, other) = rank_jobs("mae", [replace_value(job, "mae") for job in (a, b)])
    errors = [np.array([float(p.predicted) - float(p.target) for p in job.predictions]) for job in (a, b)]
    means = [np.abs(e)[rng.integers(0, len(e), (20_000, len(e)))].mean(axis=1) for e in errors]
    centred = [m - np.abs(e).mean() for m, e in zip(means, errors, strict=True)]
    observed = np.abs(errors[1]).mean() - np.abs(errors[0]).mean()
    assert other.comparison == "unpaired"
    assert other.p_value == pytest.approx(np.mean(np.abs(centred[1] - centred[0]) >= abs(observed)), abs=0.02)


def replace_value(job, metric):
    assert metric == "mae"
    errors = [abs(float(p.predicted) - float(p.target)) for p in job.predictions]
    return Candidate(
        name=job.name,
        value=float(np.mean(errors)),
        examples=job.examples,
        predictions=job.predictions,
        problem="p",
    )


def test_jobs_of_other_problems_are_ranked_and_not_compared():
    ranked = rank_jobs(
        "sequence_accuracy", [accuracy_job("a", []), accuracy_job("b", [1], offset=9, problem="q")]
    )
    assert (ranked[1].comparison, ranked[1].tied_with_best, ranked[1].p_value) == (
        "not_comparable",
        None,
        None,
    )
    assert ranked[1].detail == "its problem is not that of a"
    assert ranked[1].interval is not None


def test_without_recorded_examples_shares_are_compared_by_their_counts():
    jobs = [Candidate(name=n, value=v, examples=1000, problem="p") for n, v in (("a", 0.9), ("b", 0.5))]
    (best, other) = rank_jobs("unseen_sequence_accuracy", jobs)
    assert (other.comparison, other.tied_with_best) == ("unpaired", False)
    assert best.interval == pytest.approx(tuple(stats.binomtest(900, 1000).proportion_ci(method="wilson")))


def test_without_recorded_examples_other_metrics_are_not_comparable():
    jobs = [Candidate(name=n, value=v, examples=1000, problem="p") for n, v in (("a", 0.1), ("b", 0.5))]
    assert [(job.comparison, job.interval) for job in rank_jobs("edit_rate", jobs)] == [
        ("best", None),
        ("not_comparable", None),
    ]


def test_one_time_is_no_sample():
    jobs = [Candidate(name=n, value=v, examples=None, problem="p") for n, v in (("slow", 9.0), ("fast", 3.0))]
    ranked = rank_jobs("train_seconds", jobs)
    assert [job.name for job in ranked] == ["fast", "slow"]
    assert (ranked[1].comparison, ranked[1].detail) == ("not_comparable", NO_EXAMPLES)


# --- intervals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [0, 3, 100, 200])
def test_the_interval_of_an_accuracy_is_wilson_s(wrong):
    (job,) = rank_jobs("sequence_accuracy", [accuracy_job("a", range(wrong))])
    expected = stats.binomtest(200 - wrong, 200).proportion_ci(method="wilson")
    assert job.interval == pytest.approx(tuple(expected))


def test_the_interval_of_an_error_is_that_of_scipy_s_bootstrap():
    errors = np.random.default_rng(1).normal(0, 2, 60)
    (job,) = rank_jobs("rmse", [forecast_job("a", errors)])
    expected = stats.bootstrap(
        (errors,),
        lambda sample, axis: np.sqrt(np.mean(sample**2, axis=axis)),
        n_resamples=10_000,
        method="percentile",
        random_state=0,
    ).confidence_interval
    assert job.interval == pytest.approx(tuple(expected), rel=0.02)
    assert job.interval[0] < job.value < job.interval[1]


def test_the_same_jobs_rank_the_same_way_every_time():
    errors = np.random.default_rng(2).normal(0, 2, (2, 60))
    first, again = (rank_jobs("rmse", [*map(forecast_job, "ab", errors)]) for _ in range(2))
    assert first == again
