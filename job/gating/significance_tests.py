"""Significance tests of accuracies, and Holm's correction for many tests; `bootstrap` tests other metrics.

scipy is imported by the functions that use it: the import takes half a second, which only a comparison with a
baseline has to pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class SignificanceResult:
    """Result of a one-sided significance test of a metric, baseline against candidate.

    Args:
        test: name of the test.
        before, now: the metric of the baseline and of the candidate.
        p_value: probability of a change at least as large in the observed direction if nothing had changed;
            1 if the two are equal.
        detail: the counts behind the p-value, in words.
        total_loss_p_value: the smallest p-value that a loss can have on these examples: every correct
            prediction became wrong, or the error of every example grew.
    """

    test: str
    before: float
    now: float
    p_value: float
    detail: str
    total_loss_p_value: float = 0.0

    @property
    def difference(self) -> float:
        """`now` minus `before`."""
        return self.now - self.before


# --- the same examples --------------------------------------------------------------------------------------


def mcnemar(before: Bools, now: Bools) -> SignificanceResult:
    """Compare two accuracies on the same examples with the exact test of McNemar (1947).

    Under the null hypothesis each of the discordant examples (correct on one side only) is lost or won with
    probability 1/2, so that the number of lost ones is binomial: a sign test.

    Args:
        before, now: (n,) bool, whether the prediction for an example is correct; the same examples in the
            same order, n > 0.
    """
    lost = int(np.sum(before & ~now))
    won = int(np.sum(~before & now))
    detail = f"{lost:,} right before and wrong now, {won:,} the other way, of {len(before):,} examples"
    shares = float(before.mean()), float(now.mean())
    return SignificanceResult(
        "exact McNemar", *shares, _sign_test(lost, won), detail, sign_test_minimum(int(before.sum()))
    )


def _sign_test(lost: int, won: int) -> float:
    """Return P(X >= max(lost, won)) for X ~ Binomial(lost + won, 1/2); 1 if the two counts are equal."""
    if lost == won:
        return 1.0
    from scipy import stats

    return float(stats.binomtest(max(lost, won), lost + won, 0.5, alternative="greater").pvalue)


def sign_test_minimum(changes: int) -> float:
    """Return the smallest p-value of a sign test, 2**-changes: all changes have the same direction."""
    return float(0.5**changes)


# --- different examples -------------------------------------------------------------------------------------


def two_proportions(before: tuple[int, int], now: tuple[int, int]) -> SignificanceResult:
    """Compare two accuracies, as of independent samples, with Fisher's exact test (Fisher 1935).

    Args:
        before, now: number of correct predictions, and of examples (more than 0).
    """
    from scipy import stats

    shares = before[0] / before[1], now[0] / now[1]
    table = [[before[0], before[1] - before[0]], [now[0], now[1] - now[0]]]
    direction = "greater" if shares[0] > shares[1] else "less"
    p = float(stats.fisher_exact(table, alternative=direction).pvalue) if shares[0] != shares[1] else 1.0
    detail = (
        f"{before[0]:,} of {before[1]:,} right before, {now[0]:,} of {now[1]:,} now, as independent samples"
    )
    total_loss = fisher_total_loss(before, now[1])
    return SignificanceResult("two proportions (Fisher)", *shares, min(p, 1.0), detail, total_loss)


def fisher_total_loss(before: tuple[int, int], now: int) -> float:
    """Return the p-value of Fisher's exact test if no prediction of the candidate is correct.

    With r of n correct before and 0 of m now, it is C(n, r) / C(n + m, r), the product over i < r of
    (n - i) / (n + m - i).

    Args:
        before: number of correct predictions of the baseline, and of its examples.
        now: number of the candidate's examples.
    """
    right, count = before
    return math.exp(sum(math.log1p(-now / (count + now - i)) for i in range(right)))


# --- many tests ---------------------------------------------------------------------------------------------


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple testing with the step-down method of Holm (1979).

    The k-th smallest of m p-values is multiplied by m - k + 1; the results are made monotonic, at most 1.
    The probability of any false rejection at level alpha is then at most alpha.

    Returns:
        the adjusted p-values, in the order given.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted
