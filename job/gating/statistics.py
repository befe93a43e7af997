"""Whether a number is worse or better than it was by more than chance: the tests behind the regression gate.

scipy is loaded by the functions that need it: it takes half a second that a batch without a baseline does not
have to wait.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

ENOUGH = 100
"""Resamples at least as extreme as what was seen, after which the bootstrap need not go on."""

MOST_RESAMPLES = 100_000
MOST_DRAWS = 200_000_000
"""Examples drawn by a bootstrap: some seconds of work."""

MOST_UNITS = 20_000
"""Examples that are resampled one by one; of more, neighbours are resampled together. So there are enough
resamples for a p-value of 1 in 10,000, however many examples there are."""

_CHUNK = 2_000_000
_FEW = 64
"""Distinct values up to which their counts are drawn, not examples: much quicker, the same distribution."""


@dataclass(frozen=True)
class Evidence:
    """What a test found.

    Args:
        test: its name.
        before, now: what was compared.
        p_value: how likely a change at least as large in the direction of this one is, were there none
            (one-sided); 1 where nothing changed.
        detail: the counts that it is from, in words.
        total_loss_p_value: the p-value where all that was right is wrong now, or every example's error is
            larger. No loss has a smaller one.
    """

    test: str
    before: float
    now: float
    p_value: float
    detail: str
    total_loss_p_value: float = 0.0

    @property
    def difference(self) -> float:
        """`now` less `before`."""
        return self.now - self.before


def mcnemar(before: Bools, now: Bools) -> Evidence:
    """Compare the shares of right answers to the same examples: the exact test of McNemar 1947.

    Of the examples on which the two differ, as many should go one way as the other.

    Args:
        before, now: (n,) bool, right or wrong, of the same examples in the same order; n > 0.
    """
    lost = int(np.sum(before & ~now))
    won = int(np.sum(~before & now))
    detail = f"{lost:,} right before and wrong now, {won:,} the other way, of {len(before):,} examples"
    shares = float(before.mean()), float(now.mean())
    return Evidence("exact McNemar", *shares, _sign_test(lost, won), detail, all_one_way(int(before.sum())))


def all_one_way(count: int) -> float:
    """Return the p-value of so many changes that all go one way: how likely chance has that (sign test)."""
    return float(0.5**count)


def _sign_test(lost: int, won: int) -> float:
    if lost == won:
        return 1.0
    from scipy import stats

    return float(stats.binomtest(max(lost, won), lost + won, 0.5, alternative="greater").pvalue)


def two_proportions(before: tuple[int, int], now: tuple[int, int]) -> Evidence:
    """Compare the shares of right answers to different examples: Fisher's exact test.

    Args:
        before, now: how many were right, of how many (more than none).
    """
    from scipy import stats

    shares = before[0] / before[1], now[0] / now[1]
    table = [[before[0], before[1] - before[0]], [now[0], now[1] - now[0]]]
    direction = "greater" if shares[0] > shares[1] else "less"
    p = float(stats.fisher_exact(table, alternative=direction).pvalue) if shares[0] != shares[1] else 1.0
    detail = (
        f"{before[0]:,} of {before[1]:,} right before, {now[0]:,} of {now[1]:,} now, not the same examples"
    )
    return Evidence("two proportions (Fisher)", *shares, min(p, 1.0), detail, all_lost(before, now[1]))


def all_lost(before: tuple[int, int], now: int) -> float:
    """Return the p-value of Fisher's exact test where no answer is right any more.

    Args:
        before: how many were right, of how many.
        now: of how many other examples none is right.
    """
    right, count = before
    # all that is right lies on one side: the product of (count - i) / (count + now - i) for i < right
    return math.exp(sum(math.log1p(-now / (count + now - i)) for i in range(right)))


def bootstrap_p_value(changes: Floats) -> float:
    """Return how likely a mean of paired changes as far from 0, in its direction, is where there is none.

    The bootstrap test of Efron and Tibshirani 1993, chapter 16: the changes are centred, as they would be if
    nothing had changed, and resampled; scaled too, so that their variance is not too small by (n - 1) / n.
    Resampling ends early where the answer is clear (Besag and Clifford 1991). The generator is seeded, so the
    same changes give the same answer.

    Args:
        changes: (n,) float64, of the same examples, now less before; n > 0.
    """
    mean, count = float(changes.mean()), len(changes)
    if mean == 0.0 or count == 1:
        return 1.0
    scale = math.sqrt(count / (count - 1))
    found = _share_reaching(abs(mean), _resampled_means((changes - mean) * math.copysign(scale, mean)))
    return max(found, all_one_way(count))


def all_worse(count: int) -> float:
    """Return the smallest p-value that a paired bootstrap of so many examples gives.

    Few examples can all change one way by chance, which resampling them does not tell.
    """
    return max(all_one_way(count), 1 / (1 + _resamples(min(count, MOST_UNITS))))


def _share_reaching(seen: float, resampled: Iterator[Floats]) -> float:
    """Return the share of resampled changes that are as large as what was seen, or larger; it counts too."""
    seen *= 1 - 1e-12  # sums in another order are the same but for rounding
    extreme = done = 0
    for changes in resampled:
        reached = np.flatnonzero(changes >= seen)
        if extreme + len(reached) >= ENOUGH:
            return ENOUGH / (done + int(reached[ENOUGH - extreme - 1]) + 1)
        extreme += len(reached)
        done += len(changes)
    return (1 + extreme) / (1 + done)


def _resampled_means(values: Floats) -> Iterator[Floats]:
    """Yield means of resamples, chunk by chunk."""
    rng = np.random.default_rng(0)
    count = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    few = len(distinct) <= min(_FEW, count - 1)
    if not few:
        values = _in_units(values) * (min(count, MOST_UNITS) / count)
    for size in _chunks(min(count, MOST_UNITS), len(distinct) if few else len(values)):
        if few:
            yield rng.multinomial(count, counts / count, size=size) @ distinct / count
        else:
            drawn = rng.integers(0, len(values), size=(size, len(values)), dtype=np.int32)
            yield values[drawn].mean(axis=1)


def _in_units(values: Floats) -> Floats:
    """Return values (n, ...) of at most `MOST_UNITS` examples, of more the sums of so many neighbourhoods."""
    count = len(values)
    if count <= MOST_UNITS:
        return values
    starts = np.linspace(0, count, MOST_UNITS, endpoint=False).astype(np.intp)
    sums: Floats = np.add.reduceat(values, starts, axis=0)
    return sums


def _resamples(units: int) -> int:
    """Return how many resamples of so many units are made at most."""
    return min(MOST_RESAMPLES, MOST_DRAWS // units)


def _chunks(units: int, width: int) -> Iterator[int]:
    """Yield how many resamples of so many units to make at once, each of which takes `width` numbers."""
    left = _resamples(units)
    while left > 0:
        size = min(max(1, _CHUNK // width), left)
        left -= size
        yield size


def root_mean_square(before: Floats, now: Floats, values: int) -> Evidence:
    """Compare root mean squared errors over the same examples: paired bootstrap of the squared errors.

    Args:
        before, now: (n,) float64, each example's sum of squared errors, in the same order; n > 0.
        values: how many errors there are in all, the same on both sides.
    """
    roots = math.sqrt(before.sum() / values), math.sqrt(now.sum() / values)
    return _bootstrapped(before, now, *roots)


def total_per_unit(before: Floats, now: Floats, units: float) -> Evidence:
    """Compare errors per unit (edits per token, absolute errors per value): paired bootstrap of the errors.

    Args:
        before, now: (n,) float64, errors of the same examples in the same order; n > 0.
        units: of all the examples together, the same on both sides.
    """
    values = float(before.sum()) / units, float(now.sum()) / units
    return _bootstrapped(before, now, *values)


def _bootstrapped(before: Floats, now: Floats, was: float, found: float) -> Evidence:
    p, detail = bootstrap_p_value(now - before), _better_or_worse(before, now)
    return Evidence("paired bootstrap", was, found, p, detail, all_worse(len(before)))


def _better_or_worse(before: Floats, now: Floats) -> str:
    worse, better = int(np.sum(now > before)), int(np.sum(now < before))
    return f"of {len(before):,} examples {worse:,} have a larger error now, {better:,} a smaller one"


def score_of_counts(before: Floats, now: Floats, score: Callable[[Floats], Floats]) -> Evidence:
    """Compare a score that the whole test set has together, such as BLEU: paired bootstrap of the examples.

    As of Koehn 2004, but for the hypothesis, which is that of `bootstrap_p_value`: resampled changes are
    centred on the one that was seen.

    Args:
        before, now: (n, k) float64, counts for the same examples in the same order; n > 0.
        score: sums of counts (..., k) -> scores (...).
    """
    count = len(before)
    values = float(score(before.sum(axis=0))), float(score(now.sum(axis=0)))
    change = values[1] - values[0]
    scale = math.sqrt(count / max(1, count - 1))
    resampled = (
        (score(sums[1]) - score(sums[0]) - change) * math.copysign(scale, change)
        for sums in _resampled_sums(np.stack([_in_units(before), _in_units(now)]))
    )
    p = _share_reaching(abs(change), resampled) if change and count > 1 else 1.0
    detail = f"of {count:,} examples {int(np.any(before != now, axis=1).sum()):,} count otherwise now"
    return Evidence("paired bootstrap", *values, max(p, all_one_way(count)), detail, all_worse(count))


def _resampled_sums(counts: Floats) -> Iterator[Floats]:
    """Yield sums over resamples of the examples, the same for both sides: (2, n, k) -> (2, resamples, k)."""
    rng = np.random.default_rng(0)
    examples = counts.shape[1]
    for size in _chunks(examples, examples):
        drawn = rng.integers(0, examples, size=(size, examples))
        places = drawn + examples * np.arange(size)[:, None]
        times = np.bincount(places.ravel(), minlength=size * examples).reshape(size, examples)
        yield times.astype(np.float64) @ counts


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for being several (Holm 1979), in the order given."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    adjusted, highest = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = highest
    return adjusted


# --- means over seeds ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Mean:
    """A mean, the sample's standard deviation (n - 1), and the mean's 95 % confidence interval.

    All but the mean are None for a single value.
    """

    mean: float
    deviation: float | None
    low: float | None
    high: float | None


def mean_interval(values: Sequence[float]) -> Mean:
    """Return the mean of at least one value, and its 95 % confidence interval (Student 1908)."""
    # dividing by a power of two changes nothing, but neither sums nor squares overflow
    unit = math.ldexp(1.0, math.frexp(max(map(abs, values)))[1] - 1)
    scaled = np.divide(values, unit)
    mean = float(np.mean(scaled)) * unit
    if len(values) < 2:
        return Mean(mean, None, None, None)
    deviation = float(np.std(scaled, ddof=1)) * unit
    half = _t_quantile(len(values)) * deviation / math.sqrt(len(values))
    largest = sys.float_info.max
    return Mean(mean, deviation, max(mean - half, -largest), min(mean + half, largest))


def _t_quantile(count: int) -> float:
    from scipy import stats

    return float(stats.t.ppf(0.975, count - 1))


# --- what would settle it -----------------------------------------------------------------------------------

MOST_SEEDS = 1000
_Z = NormalDist().inv_cdf(0.975)


def seeds_to_settle(mean: Mean, bound: float, count: int) -> int | None:
    """Return how many seeds it would take for the mean's interval to lie on one side of a bound.

    Args:
        mean: over the seeds that there are.
        bound: the mean lies so near to it that its interval holds both.
        count: of seeds that there are, two or more.

    Returns:
        None where the interval lies on one side already, or `MOST_SEEDS` would not do.
    """
    distance = abs(mean.mean - bound)
    if mean.deviation is None or mean.low is None or not mean.low <= bound <= (mean.high or 0.0):
        return None
    for number in range(count + 1, MOST_SEEDS + 1):
        if _t_quantile(number) * mean.deviation / math.sqrt(number) < distance:
            return number
    return None


def near(share: float, count: int, bound: float) -> bool:
    """Return whether chance could have a share of `count` examples on the other side of a bound.

    That is whether the bound lies within the share's 95 % interval (Wilson 1927).
    """
    error = bound * (1 - bound) / count
    return (share - bound) ** 2 <= _Z**2 * error


def examples_to_settle(share: float, bound: float) -> int | None:
    """Return of how many examples a share would be as far from a bound as chance seldom takes it; None where
    it lies on the bound."""
    if share == bound:
        return None
    return math.ceil(_Z**2 * bound * (1 - bound) / (share - bound) ** 2)


def round_up(number: int) -> int:
    """Return a number rounded up to two digits: what would settle a question is never known better."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return math.ceil(number / unit) * unit
