"""Significance tests of accuracies: exact values, and agreement with scipy and statsmodels."""

import itertools

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from job.gating.significance_tests import fisher_total_loss, holm, mcnemar, two_proportions


def answers(both, lost, won, neither):
    """Return which examples were right before and now, given the number of examples of each kind."""
    before = np.repeat([True, True, False, False], [both, lost, won, neither])
    now = np.repeat([True, False, True, False], [both, lost, won, neither])
    return before, now


TABLES = [*itertools.product([0, 1, 990], [0, 1, 3, 40], [0, 2, 3, 17], [0, 10])]


@pytest.mark.parametrize(("both", "lost", "won", "neither"), [table for table in TABLES if sum(table)])
def test_mcnemar_agrees_with_scipy_and_statsmodels(both, lost, won, neither):
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
def test_two_proportions_agree_with_the_hypergeometric_distribution(before, now):
    found = two_proportions(before, now)
    right, count = before[0] + now[0], before[1] + now[1]
    law = stats.hypergeom(count, right, now[1])
    fell = now[0] / now[1] < before[0] / before[1]
    expected = law.cdf(now[0]) if fell else law.sf(now[0] - 1)
    assert found.p_value == pytest.approx(1.0 if found.difference == 0 else expected, rel=1e-9)
    assert found.difference == pytest.approx(now[0] / now[1] - before[0] / before[1])
    assert found.detail.endswith(" now, as independent samples")


@pytest.mark.parametrize(("before", "now"), [((5, 5), 5), ((30, 40), 60), ((1, 9), 3)])
def test_the_p_value_of_a_total_loss_is_that_of_fishers_test(before, now):
    table = [[before[0], before[1] - before[0]], [0, now]]
    assert fisher_total_loss(before, now) == pytest.approx(
        stats.fisher_exact(table, alternative="greater").pvalue
    )


@pytest.mark.parametrize("p_values", [[0.01], [0.04, 0.01, 0.03], [0.5, 0.5, 0.001, 1.0], [0.0, 0.02, 0.02]])
def test_holm_agrees_with_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])
    assert holm([]) == []
