"""Changes for the worse that show in too few runs to be proven.

`change_points` says only what is hardly chance, which takes about four runs. What it cannot yet say is not
therefore good: runs that are all worse than all before them, by more than the runs vary, are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from job.metrics import METRICS
from job.trend.change_points import band
from job.trend.metric_series import Series, least

ENOUGH = 5
"""Runs whose noise band says something."""


@dataclass(frozen=True)
class Suspicion:
    """A change for the worse that is not proven.

    Args:
        series: whose.
        run: the number of the first run that is worse, from 0.
        before, after: the values on both sides.
    """

    series: Series
    run: int
    before: tuple[float, ...]
    after: tuple[float, ...]


def suspicions(series: Iterable[Series]) -> Iterator[Suspicion]:
    """Yield of each series what may have got worse since its last proven change; speeds apart."""
    for each in series:
        if METRICS[each.metric].family != "timing" and (found := _suspicion(each)):
            yield found


def _suspicion(series: Series) -> Suspicion | None:
    """Return the change that is largest, of those that stand out."""
    first = series.levels[-1].first
    values = series.values[first:]
    found = [
        Suspicion(series, series.runs[first + place], values[:place], values[place:])
        for place in range(1, len(values))
        if _stands_out(series.metric, values[:place], values[place:])
    ]
    return max(found, key=lambda each: abs(_mean(each.before) - _mean(each.after)), default=None)


def _stands_out(metric: str, before: Sequence[float], after: Sequence[float]) -> bool:
    """Return whether all later values are worse, by enough to count and by more than values vary."""
    sign = 1 if METRICS[metric].direction == "higher" else -1
    drop = sign * (_mean(before) - _mean(after))
    if drop < least(metric, _mean(before)) or min(sign * v for v in before) <= max(sign * v for v in after):
        return False
    if len(before) >= ENOUGH:
        return _outside(_mean(after), before)
    if len(after) >= ENOUGH:
        return _outside(_mean(before), after)
    return drop > max(max(side) - min(side) for side in (before, after))


def _outside(value: float, values: Sequence[float]) -> bool:
    low, high = band(values)
    return low is not None and high is not None and not low <= value <= high


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
