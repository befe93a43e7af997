"""Paired bootstrap tests of metrics other than accuracy: RMSE, MAE, edit rate, BLEU and chrF."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from job.gating.significance_tests import SignificanceResult, sign_test_minimum

Floats = NDArray[np.float64]

MAX_RESAMPLES = 100_000
"""Largest number of resamples of one test."""

MAX_DRAWS = 200_000_000
"""Largest number of units drawn by one test, over all resamples: some seconds of work."""

MAX_UNITS = 20_000
"""Largest number of units that are resampled. Of more examples, neighbours are summed to one unit, so that
`MAX_DRAWS` allows enough resamples for a p-value of 1 in 10,000 however many examples there are."""

_EXTREMES_TO_STOP = 100
"""Number of resamples at least as extreme as the observed change after which sampling stops early."""

_CHUNK = 1 << 18
"""Number of values in memory at once: 8 MB with all copies, which caches hold better than 60 MB."""

_MAX_DISTINCT = 64
"""Largest number of distinct values for which a resample draws the count of each value (multinomial) instead
of one value per unit: the same distribution, much faster."""

# --- tests --------------------------------------------------------------------------------------------------


def root_mean_square(before: Floats, now: Floats, values: int) -> SignificanceResult:
    """Compare root mean squared errors on the same examples by a paired bootstrap of the squared errors.

    Args:
        before, now: (n,) float64, sum of squared errors of each example; the same examples in the same order,
            n > 0.
        values: number of errors over all examples, the same on both sides.
    """
    roots = math.sqrt(before.sum() / values), math.sqrt(now.sum() / values)
    return _mean_test(before, now, *roots)


def total_per_unit(before: Floats, now: Floats, units: float) -> SignificanceResult:
    """Compare errors per unit (edits per token, absolute error per value) by a paired bootstrap of errors.

    Args:
        before, now: (n,) float64, total error of each example; the same examples in the same order, n > 0.
        units: number of units over all examples, the same on both sides.
    """
    return _mean_test(before, now, float(before.sum()) / units, float(now.sum()) / units)


def _mean_test(before: Floats, now: Floats, was: float, found: float) -> SignificanceResult:
    """Test whether errors changed, for a metric that grows with their mean and is `was` and `found`."""
    worse, better = int(np.sum(now > before)), int(np.sum(now < before))
    detail = f"of {len(before):,} examples {worse:,} have a larger error now, {better:,} a smaller one"
    p_value, smallest = bootstrap_p_value(now - before), bootstrap_minimum(len(before))
    return SignificanceResult("paired bootstrap", was, found, p_value, detail, smallest)


def score_of_counts(before: Floats, now: Floats, score: Callable[[Floats], Floats]) -> SignificanceResult:
    """Compare a corpus-level score such as BLEU by a paired bootstrap of the examples.

    Resampling follows Koehn (2004); the null hypothesis is that of `bootstrap_p_value`: the distribution of
    resampled score differences is centred on the observed difference.

    Args:
        before, now: (n, k) float64, sufficient statistics of each example; the same examples in the same
            order, n > 0.
        score: function of summed statistics (..., k) that returns scores (...).
    """
    count = len(before)
    values = float(score(before.sum(axis=0))), float(score(now.sum(axis=0)))
    change = values[1] - values[0]
    scale = math.sqrt(count / max(1, count - 1))
    resampled = (
        (score(sums[1]) - score(sums[0]) - change) * math.copysign(scale, change)
        for sums in _resampled_sums(np.stack([_units(before), _units(now)]))
    )
    p = _share_at_least(abs(change), resampled) if change and count > 1 else 1.0
    changed = int(np.any(before != now, axis=1).sum())
    detail = f"the counts of {changed:,} of {count:,} examples changed"
    p_value = max(p, sign_test_minimum(count))
    return SignificanceResult("paired bootstrap", *values, p_value, detail, bootstrap_minimum(count))


def bootstrap_p_value(changes: Floats) -> float:
    """Return the one-sided p-value of a mean of paired changes by a bootstrap test.

    Implements the test of Efron and Tibshirani (1993), chapter 16: the changes are centred on 0, which is the
    null hypothesis, and resampled with replacement. They are also scaled by sqrt(n / (n - 1)), because
    resampled values have (n - 1) / n of the unbiased variance. Sampling stops early once the answer is clear
    (Besag and Clifford 1991). The generator has a fixed seed: the same changes give the same p-value.

    Args:
        changes: (n,) float64, candidate minus baseline of the same examples; n > 0.

    Returns:
        the p-value, at least that of a sign test in which all n changes have the same direction.
    """
    mean, count = float(changes.mean()), len(changes)
    if mean == 0.0 or count == 1:
        return 1.0
    scale = math.sqrt(count / (count - 1))
    found = _share_at_least(abs(mean), _resampled_means((changes - mean) * math.copysign(scale, mean)))
    return max(found, sign_test_minimum(count))


def resampled_scores(
    counts: Floats, scores: Sequence[Callable[[Floats], Floats]], resamples: int, seed: int = 0
) -> Floats:
    """Return the scores of resamples of the examples, drawn with replacement: (sides, resamples) float64.

    Args:
        counts: (sides, n, k) float64, sufficient statistics of n > 0 examples on each side. The sides of a
            resample have the same examples.
        scores: for each side, the function of summed statistics (..., k) that returns scores (...).
        resamples: number of resamples; fewer if there are very many examples, see `MAX_DRAWS`.
        seed: of the random numbers; the same seed and n draw the same examples.
    """
    units = np.stack([_units(side) for side in counts])
    parts = [
        np.stack([score(side) for score, side in zip(scores, sums, strict=True)])
        for sums in _resampled_sums(units, resamples, seed)
    ]
    return np.concatenate(parts, axis=1)


def two_sided_p_value(difference: float, centred: Floats) -> float:
    """Return the share of resampled differences, centred on 0, that are as large as the observed one.

    The observed one counts as a resample. Without a difference the p-value is 1.

    Args:
        difference: the observed difference.
        centred: (resamples,) float64.
    """
    extreme = np.abs(centred) >= abs(difference) * (1 - 1e-12)  # tolerates the rounding of sums
    return float((1 + extreme.sum()) / (1 + len(centred))) if difference else 1.0


def bootstrap_minimum(count: int) -> float:
    """Return the smallest p-value that a paired bootstrap of `count` examples gives.

    A few examples can all change in one direction by chance, which resampling alone does not show.
    """
    return max(sign_test_minimum(count), 1 / (1 + _resamples(min(count, MAX_UNITS))))


def _share_at_least(observed: float, resampled: Iterator[Floats]) -> float:
    """Return the share of values that are at least as large as the observed one, which is counted too.

    The estimate is (1 + extreme) / (1 + resamples), or h / resamples if sampling stops at the h-th extreme
    value, h being `_EXTREMES_TO_STOP` (Besag and Clifford 1991).
    """
    observed *= 1 - 1e-12  # tolerates the rounding of sums in another order
    extreme = done = 0
    for changes in resampled:
        reached = np.flatnonzero(changes >= observed)
        if extreme + len(reached) >= _EXTREMES_TO_STOP:
            return _EXTREMES_TO_STOP / (done + int(reached[_EXTREMES_TO_STOP - extreme - 1]) + 1)
        extreme += len(reached)
        done += len(changes)
    return (1 + extreme) / (1 + done)


# --- resampling ---------------------------------------------------------------------------------------------


def _resampled_means(values: Floats) -> Iterator[Floats]:
    """Yield the means of resamples of values (n,), chunk by chunk."""
    rng = np.random.default_rng(0)
    count = len(values)
    distinct, counts = np.unique(values, return_counts=True)
    few = len(distinct) <= min(_MAX_DISTINCT, count - 1)
    if not few:
        values = _units(values) * (min(count, MAX_UNITS) / count)
    for size in _chunks(min(count, MAX_UNITS), len(distinct) if few else len(values)):
        if few:
            yield rng.multinomial(count, counts / count, size=size) @ distinct / count
        else:
            drawn = rng.integers(0, len(values), size=(size, len(values)), dtype=np.int32)
            yield values[drawn].mean(axis=1)


def _resampled_sums(counts: Floats, most: int = MAX_RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """Yield sums over resamples of the examples, the same for all sides.

    Args:
        counts: (sides, n, k) float64.
        most: largest number of resamples.
        seed: of the random numbers.

    Yields:
        (sides, resamples, k) float64.
    """
    rng = np.random.default_rng(seed)
    examples = counts.shape[1]
    for size in _chunks(examples, examples, most):
        drawn = rng.integers(0, examples, size=(size, examples))
        places = drawn + examples * np.arange(size)[:, None]
        times = np.bincount(places.ravel(), minlength=size * examples).reshape(size, examples)
        yield times.astype(np.float64) @ counts


def _units(values: Floats) -> Floats:
    """Return values (n, ...) as they are, or for n > `MAX_UNITS` the sums (MAX_UNITS, ...) of neighbours."""
    count = len(values)
    if count <= MAX_UNITS:
        return values
    starts = np.linspace(0, count, MAX_UNITS, endpoint=False).astype(np.intp)
    sums: Floats = np.add.reduceat(values, starts, axis=0)
    return sums


def _resamples(units: int) -> int:
    """Return the largest number of resamples of so many units."""
    return min(MAX_RESAMPLES, MAX_DRAWS // units)


def _chunks(units: int, width: int, most: int = MAX_RESAMPLES) -> Iterator[int]:
    """Yield the number of resamples to draw at once.

    Args:
        units: number of units of a resample.
        width: number of values that a resample takes in memory.
        most: largest number of resamples.
    """
    left = min(_resamples(units), most)
    while left > 0:
        size = min(max(1, _CHUNK // width), left)
        left -= size
        yield size
