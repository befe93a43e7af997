"""Paired bootstrap tests: agreement with Student's test and sacrebleu, and false alarms by simulation."""

import math

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.significance import PairedTest
from scipy import stats

from job.evaluation.text_scores import SCORE_FROM_COUNTS, text_counts
from job.gating import bootstrap
from job.gating.bootstrap import (
    bootstrap_minimum,
    bootstrap_p_value,
    root_mean_square,
    score_of_counts,
    total_per_unit,
)


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


def test_p_values_of_few_distinct_changes_equal_those_of_slightly_perturbed_ones():
    """Few distinct values are drawn by their counts, many one by one."""
    rng = np.random.default_rng(4)
    changes = rng.choice([-1.0, 0.0, 0.0, 0.0, 1.0, 2.0], size=3000) - 0.30
    quick = bootstrap_p_value(changes)
    assert quick == pytest.approx(bootstrap_p_value(changes + rng.normal(0, 1e-9, 3000)), rel=0.3)
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


comparisons_made = pytest.mark.parametrize(
    "comparisons", [500, pytest.param(4000, marks=pytest.mark.exhaustive)]
)


@comparisons_made
@pytest.mark.parametrize("count", [12, 100])
def test_the_bootstrap_raises_no_more_false_alarms_than_it_should(count, comparisons, monkeypatch):
    """Compare the RMSE of two forecasts that are equally good, errors of both alike, at alpha 0.01."""
    monkeypatch.setattr(bootstrap, "MAX_RESAMPLES", 2000)
    rng = np.random.default_rng(8)
    common, one, other = rng.normal(size=(3, comparisons, count))
    before, now = (0.9 * common + 0.45 * one) ** 2, (0.9 * common + 0.45 * other) ** 2
    found = [root_mean_square(b, n, count) for b, n in zip(before, now, strict=True)]
    alarms = sum(evidence.difference > 0 and evidence.p_value <= 0.01 for evidence in found)
    assert alarms <= stats.binom.ppf(0.999, comparisons, 0.01)


def test_a_bootstrap_of_few_examples_has_at_least_the_p_value_of_their_sign_test():
    for count in (2, 5, 9):
        changes = np.linspace(1.0, 1.1, count)
        assert bootstrap_p_value(changes) == pytest.approx(0.5**count)
        assert bootstrap_minimum(count) == 0.5**count


def test_very_many_examples_still_reach_a_small_p_value():
    """A million windows: enough resamples for a p-value far below what is significant."""
    errors = np.random.default_rng(3).exponential(1.0, 300_000)
    evidence = root_mean_square(errors, errors * 1.01, len(errors))
    assert evidence.p_value == pytest.approx(1e-4, rel=0.01)
    assert evidence.total_loss_p_value == pytest.approx(1e-4, rel=0.01)
    none = root_mean_square(errors, errors[np.argsort(np.sin(np.arange(len(errors))))], len(errors))
    assert none.p_value > 0.01


# --- scores of a whole test set -----------------------------------------------------------------------------


def ratio(sums):
    return sums[..., 0] / sums[..., 1]


def test_a_mean_written_as_a_score_of_counts_has_the_same_p_value():
    rng = np.random.default_rng(9)
    before = np.stack([rng.normal(10, 1, 500), np.ones(500)], axis=1)
    now = before + np.stack([rng.normal(0.05, 0.5, 500), np.zeros(500)], axis=1)
    found = score_of_counts(before, now, ratio)
    assert (found.before, found.now) == pytest.approx((before[:, 0].mean(), now[:, 0].mean()))
    assert 1e-4 < found.p_value < 0.2
    assert found.p_value == pytest.approx(bootstrap_p_value(now[:, 0] - before[:, 0]), rel=0.35)
    assert score_of_counts(now, before, ratio).p_value == pytest.approx(found.p_value, rel=0.35)
    assert found.detail == "the counts of 500 of 500 examples changed"


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
        found = score_of_counts(counts[0][metric], counts[1][metric], SCORE_FROM_COUNTS[metric])
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


@comparisons_made
def test_a_score_of_counts_raises_no_more_false_alarms_than_it_should(comparisons, monkeypatch):
    """Compare a ratio over 100 examples at alpha 0.01, where nothing but chance changed."""
    monkeypatch.setattr(bootstrap, "MAX_RESAMPLES", 2000)
    rng = np.random.default_rng(11)
    alarms = 0
    for _ in range(comparisons):
        length, hard = rng.integers(4, 20, size=100), rng.random(100) * 0.2
        before, now = (np.stack([rng.binomial(length, 1 - hard), length], axis=1) for _ in range(2))
        found = score_of_counts(before.astype(float), now.astype(float), ratio)
        alarms += found.difference < 0 and found.p_value <= 0.01
    assert alarms <= stats.binom.ppf(0.999, comparisons, 0.01)
