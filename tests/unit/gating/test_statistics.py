"""The tests behind the gate: against other implementations over tables of cases, and by simulation."""

import itertools
import math

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from job.evaluation.scores import BY_COUNTS, text_counts
from job.gating import statistics
from job.gating.statistics import (
    Mean,
    bootstrap_p_value,
    examples_to_settle,
    holm,
    mcnemar,
    mean_interval,
    near,
    root_mean_square,
    round_up,
    score_of_counts,
    seeds_to_settle,
    total_per_unit,
    two_proportions,
)


def answers(both, lost, won, neither):
    """Right and wrong before and now, as many of each kind."""
    before = np.repeat([True, True, False, False], [both, lost, won, neither])
    now = np.repeat([True, False, True, False], [both, lost, won, neither])
    return before, now


TABLES = [*itertools.product([0, 1, 990], [0, 1, 3, 40], [0, 2, 3, 17], [0, 10])]


@pytest.mark.parametrize(("both", "lost", "won", "neither"), [table for table in TABLES if sum(table)])
def test_mcnemar_is_that_of_scipy_and_statsmodels(both, lost, won, neither):
    found = mcnemar(*answers(both, lost, won, neither))
    if lost == won:
        assert found.p_value == 1.0
    else:
        least = stats.binom.cdf(min(lost, won), lost + won, 0.5)
        assert found.p_value == pytest.approx(least, rel=1e-12)
        two_sided = reference_mcnemar([[both, lost], [won, neither]], exact=True).pvalue
        assert found.p_value == pytest.approx(two_sided / 2, rel=1e-12)
    assert found.difference == pytest.approx((won - lost) / (both + lost + won + neither))
    assert found.detail.startswith(f"{lost:,} right before and wrong now, {won:,} the other way, of ")


def test_mcnemar_is_exact_where_counts_are_small():
    """Five of five go one way: one of 32."""
    assert mcnemar(*answers(100, 5, 0, 0)).p_value == 1 / 32
    assert mcnemar(*answers(100, 0, 5, 0)).p_value == 1 / 32
    assert mcnemar(*answers(100, 4, 1, 0)).p_value == 6 / 32


@pytest.mark.parametrize("before", [(0, 10), (5, 10), (10, 10), (990, 1000)])
@pytest.mark.parametrize("now", [(0, 7), (3, 10), (10, 10), (960, 1000), (9700, 10_000)])
def test_two_proportions_are_those_of_the_hypergeometric_distribution(before, now):
    found = two_proportions(before, now)
    right, count = before[0] + now[0], before[1] + now[1]
    law = stats.hypergeom(count, right, now[1])
    fell = now[0] / now[1] < before[0] / before[1]
    expected = law.cdf(now[0]) if fell else law.sf(now[0] - 1)
    assert found.p_value == pytest.approx(1.0 if found.difference == 0 else expected, rel=1e-9)
    assert found.difference == pytest.approx(now[0] / now[1] - before[0] / before[1])
    assert "not the same examples" in found.detail


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.03], [0.5, 0.5, 0.001, 1.0], [0.0, 0.02, 0.02]])
def test_holm_is_that_of_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([]) == []


# --- the bootstrap ------------------------------------------------------------------------------------------


def test_a_root_mean_square_is_of_all_errors():
    found = root_mean_square(np.array([1.0, 1.0, 4.0]), np.array([9.0, 1.0, 2.0]), 6)
    assert (found.before, found.now) == (1.0, math.sqrt(2))
    assert found.detail == "of 3 examples 1 have a larger error now, 1 a smaller one"
    assert total_per_unit(np.array([1.0, 2.0]), np.array([0.0, 6.0]), 12).now == 0.5


@pytest.mark.parametrize(("count", "tolerance"), [(40, 0.35), (2000, 0.15)])
@pytest.mark.parametrize("errors", [-2.0, -1.2, 0.6, 2.4])
def test_the_bootstrap_of_many_normal_changes_agrees_with_students_test(count, tolerance, errors):
    """Over means that lie so many standard errors from 0."""
    changes = np.random.default_rng(3).normal(size=count)
    changes = (changes - changes.mean()) / changes.std(ddof=1) + errors / math.sqrt(count)
    student = stats.ttest_1samp(changes, 0.0).pvalue / 2
    assert bootstrap_p_value(changes) == pytest.approx(student, rel=tolerance)


def test_few_distinct_changes_are_drawn_by_their_counts_to_the_same_effect(monkeypatch):
    changes = np.random.default_rng(4).choice([-1.0, 0.0, 0.0, 0.0, 1.0, 2.0], size=3000) - 0.30
    quick = bootstrap_p_value(changes)
    monkeypatch.setattr(statistics, "_FEW", 0)
    assert quick == pytest.approx(bootstrap_p_value(changes), rel=0.3)
    assert 1e-4 < quick < 0.5


def test_the_bootstrap_gives_the_same_answer_each_time_and_either_way():
    changes = np.random.default_rng(5).normal(0.1, 1, 200)
    assert bootstrap_p_value(changes) == bootstrap_p_value(changes) == bootstrap_p_value(-changes)


def test_a_clear_change_of_a_whole_batch_of_jobs_is_significant_after_holm():
    """As small a p-value as 50 jobs with two tests each ask for at alpha 0.01."""
    p = bootstrap_p_value(np.random.default_rng(6).normal(0.5, 1, 10_000))
    assert 100 * p <= 0.01


@pytest.mark.parametrize("changes", [[0.0, 0.0, 0.0], [1.0], [1.0, -1.0]])
def test_no_change_and_a_single_example_prove_nothing(changes):
    assert bootstrap_p_value(np.array(changes)) == 1.0


@pytest.mark.parametrize("count", [12, 100])
def test_the_bootstrap_raises_no_more_false_alarms_than_it_should(count, monkeypatch):
    """Two forecasts that are equally good, errors of both alike: 2,000 comparisons of RMSE at alpha 0.01."""
    monkeypatch.setattr(statistics, "MOST_RESAMPLES", 2000)
    rng = np.random.default_rng(8)
    common, one, other = rng.normal(size=(3, 2000, count))
    before, now = (0.9 * common + 0.45 * one) ** 2, (0.9 * common + 0.45 * other) ** 2
    found = [root_mean_square(b, n, count) for b, n in zip(before, now, strict=True)]
    alarms = sum(evidence.difference > 0 and evidence.p_value <= 0.01 for evidence in found)
    assert alarms <= stats.binom.ppf(0.999, 2000, 0.01)


# --- scores of a whole test set -----------------------------------------------------------------------------


def ratio(sums):
    return sums[..., 0] / sums[..., 1]


def test_a_mean_put_as_a_score_of_counts_has_the_same_p_value():
    rng = np.random.default_rng(9)
    before = np.stack([rng.normal(10, 1, 500), np.ones(500)], axis=1)
    now = before + np.stack([rng.normal(0.05, 0.5, 500), np.zeros(500)], axis=1)
    found = score_of_counts(before, now, ratio)
    assert (found.before, found.now) == pytest.approx((before[:, 0].mean(), now[:, 0].mean()))
    assert 1e-4 < found.p_value < 0.2
    assert found.p_value == pytest.approx(bootstrap_p_value(now[:, 0] - before[:, 0]), rel=0.35)
    assert score_of_counts(now, before, ratio).p_value == pytest.approx(found.p_value, rel=0.35)
    assert found.detail == "of 500 examples 500 count otherwise now"


def test_a_score_of_counts_agrees_with_the_paired_bootstrap_of_sacrebleu():
    """Of a change that chance explains once in some dozens of times.

    sacrebleu takes the differences without their sign, which makes its p-values a little smaller.
    """
    predicted, references = sentences(300, 0.20, seed=10)
    worse, _ = sentences(300, 0.22, seed=11)
    counts = [text_counts(side, references, words=True) for side in (predicted, worse)]
    reference = PairedTest(
        [("before", predicted), ("now", worse)],
        {"BLEU": BLEU(tokenize="none"), "chrF": CHRF()},
        [list(texts) for texts in zip(*references, strict=True)],
        test_type="bs",
        n_samples=1000,
    )()[1]
    for metric, name in (("bleu", "BLEU"), ("chrf", "chrF2")):
        found = score_of_counts(counts[0][metric], counts[1][metric], BY_COUNTS[metric])
        assert (found.before, found.now) == pytest.approx([result.score for result in reference[name]])
        assert 0.0005 < found.p_value < 0.2
        assert reference[name][1].p_value == pytest.approx(found.p_value, rel=0.4, abs=0.005)


def sentences(count, errors, seed):
    """Predictions with such a share of their words replaced, and their references."""
    right = np.random.default_rng(12).integers(0, 50, size=(count, 12))
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random(right.shape) < errors, rng.integers(0, 50, size=right.shape), right)
    texts, references = ([" ".join(f"w{n}" for n in row) for row in rows] for rows in (predicted, right))
    return texts, [[text] for text in references]


def test_the_same_counts_and_a_single_example_prove_nothing():
    counts = np.array([[3.0, 4.0], [1.0, 2.0]])
    assert score_of_counts(counts, counts, ratio).p_value == 1.0
    assert score_of_counts(counts[:1], counts[1:], ratio).p_value == 1.0


def test_a_score_of_counts_raises_no_more_false_alarms_than_it_should(monkeypatch):
    """2,000 comparisons of a ratio over 100 examples, at alpha 0.01, where nothing but chance changed."""
    monkeypatch.setattr(statistics, "MOST_RESAMPLES", 2000)
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(2000):
        length, hard = rng.integers(4, 20, size=100), rng.random(100) * 0.2
        before, now = (np.stack([rng.binomial(length, 1 - hard), length], axis=1) for _ in range(2))
        found = score_of_counts(before.astype(float), now.astype(float), ratio)
        alarms += found.difference < 0 and found.p_value <= 0.01
    assert alarms <= stats.binom.ppf(0.999, 2000, 0.01)


# --- over seeds ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[0.9, 0.95], [1.0, 2.0, 4.0, 8.0], [0.5, 0.5, 0.5]])
def test_the_interval_of_a_mean_is_that_of_statsmodels(values):
    found, reference = mean_interval(values), DescrStatsW(values, ddof=1)
    assert found.mean == pytest.approx(reference.mean)
    assert found.deviation == pytest.approx(reference.std)
    assert (found.low, found.high) == pytest.approx(reference.tconfint_mean(0.05))


@pytest.mark.parametrize("unit", [1e-300, 1.0, 1e300, 3e307])
def test_the_interval_of_a_mean_is_finite_for_very_large_and_very_small_values(unit):
    found = mean_interval([1 * unit, 2 * unit, 3 * unit])
    assert (found.mean, found.deviation) == pytest.approx((2 * unit, unit))
    assert found.low < found.mean < found.high < math.inf


def test_one_seed_has_no_deviation():
    assert mean_interval([0.25]) == Mean(0.25, None, None, None)


def test_the_seeds_that_settle_a_bar_do():
    values = [0.985, 0.993, 0.997]
    number = seeds_to_settle(mean_interval(values), 0.99, 3)
    mean, deviation = np.mean(values), np.std(values, ddof=1)
    halves = [stats.t.ppf(0.975, n - 1) * deviation / math.sqrt(n) for n in (number, number - 1)]
    assert halves[0] < abs(mean - 0.99) <= halves[1]


@pytest.mark.parametrize(("values", "bound"), [([0.9, 0.9], 0.5), ([0.98, 1.0], 0.99), ([0.98], 0.99)])
def test_no_seeds_settle_what_is_settled_or_lies_on_the_bar(values, bound):
    assert seeds_to_settle(mean_interval(values), bound, len(values)) is None


@pytest.mark.parametrize(
    ("right", "bound", "is_near"), [(992, 0.99, True), (999, 0.99, False), (97, 0.1, True)]
)
def test_a_share_is_near_a_bar_where_the_bar_is_in_wilsons_interval(right, bound, is_near):
    interval = stats.binomtest(right, 1000).proportion_ci(method="wilson")
    assert near(right / 1000, 1000, bound) is is_near
    assert bool(interval.low <= bound <= interval.high) is is_near


def test_so_many_examples_settle_it_and_fewer_do_not():
    count = examples_to_settle(0.992, 0.99)
    assert not near(0.992, count, 0.99)
    assert near(0.992, count - 2, 0.99)
    assert examples_to_settle(0.99, 0.99) is None


def test_numbers_are_rounded_up_to_two_digits():
    assert [round_up(number) for number in (7, 84, 100, 101, 26_411)] == [7, 84, 100, 110, 27_000]
