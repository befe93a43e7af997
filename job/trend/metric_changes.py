"""Find changes of a metric over runs: proven, lasting, and suspected ones.

`change_points` finds a change only if it is unlikely to be chance, which takes about four runs. A change is
suspected before that if all later runs are worse than all earlier ones, by more than the runs vary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from job.gating.metric_tests import min_effect
from job.metrics import METRICS, possible_range
from job.spec.gate_section import GateSpec
from job.trend.change_points import MIN_BAND_RUNS, Level, noise_band
from job.trend.metric_series import Series


@dataclass(frozen=True)
class Change:
    """A change of a series from one level to the next.

    Args:
        series: that changed.
        before, now: the levels on both sides.
        run: 0-based number of the first run of the new level.
        worse: whether it is for the worse; None if it is smaller than `smallest_change`.
    """

    series: Series
    before: Level
    now: Level
    run: int
    worse: bool | None


@dataclass(frozen=True)
class SuspectedChange:
    """A change for the worse that is not proven.

    Args:
        series: that may have changed.
        run: 0-based number of the first run that is worse.
        before, after: the values on both sides.
    """

    series: Series
    run: int
    before: tuple[float, ...]
    after: tuple[float, ...]


def smallest_change(metric: str, before: float) -> float:
    """Return the smallest change that counts.

    For timings and speeds that is a tenth, for other metrics the drop that a comparison with a baseline
    allows.

    Args:
        metric: its name.
        before: its value before the change.
    """
    if METRICS[metric].family == "timing":
        return 0.1 * abs(before)
    exact = min_effect(metric, before, GateSpec.model_fields["min_drop"].default)
    return exact * (1 - 1e-9)  # so that a difference of exactly that much counts, however it is rounded


def changes(series: Series) -> Iterator[Change]:
    """Yield the changes of a series, in the order of time."""
    for before, now in pairwise(series.levels):
        difference = now.mean - before.mean
        worse = (difference < 0) == _higher_is_better(series)
        counts = abs(difference) >= smallest_change(series.measure, before.mean)
        yield Change(series, before, now, series.runs[now.first], worse if counts else None)


# --- lasting changes ----------------------------------------------------------------------------------------


def first_lasting_decline(series: Iterable[Series]) -> Change | None:
    """Return the earliest change for the worse that was not reversed, of the series that are judged."""
    lasting = [change for each in series if each.judged and (change := _lasting_decline(each)) is not None]
    return min(lasting, key=lambda change: change.run, default=None)


def _lasting_decline(series: Series) -> Change | None:
    """Return the first change after which a series never returned to one of its earlier levels.

    Small steps add up: the difference from that level counts, not the size of one step.
    """
    levels = series.levels
    for now in range(1, len(levels)):
        after = [level.mean for level in levels[now:]]
        if any(_all_worse(series, level.mean, after) for level in levels[:now]):
            return Change(series, levels[now - 1], levels[now], series.runs[levels[now].first], True)
    return None


def _all_worse(series: Series, before: float, after: Sequence[float]) -> bool:
    """Return whether all values are worse than an earlier one, by enough to count."""
    sign = 1 if _higher_is_better(series) else -1
    return all(sign * (before - value) >= smallest_change(series.measure, before) for value in after)


# --- changes that are not proven ----------------------------------------------------------------------------


def suspected_changes(series: Iterable[Series]) -> Iterator[SuspectedChange]:
    """Yield for each series that is judged a change for the worse since its last proven one."""
    for each in series:
        if each.judged and (found := _suspected(each)):
            yield found


def _suspected(series: Series) -> SuspectedChange | None:
    """Return the largest of the changes that stand out."""
    first = series.levels[-1].first
    values = series.values[first:]
    found = [
        SuspectedChange(series, series.runs[first + place], values[:place], values[place:])
        for place in range(1, len(values))
        if _stands_out(series, values[:place], values[place:])
    ]
    return max(found, key=lambda each: abs(_mean(each.before) - _mean(each.after)), default=None)


def _stands_out(series: Series, before: Sequence[float], after: Sequence[float]) -> bool:
    """Return whether all later values are worse, by enough to count and by more than the values vary."""
    sign = 1 if _higher_is_better(series) else -1
    drop = sign * (_mean(before) - _mean(after))
    if drop < smallest_change(series.measure, _mean(before)):
        return False
    if min(sign * value for value in before) <= max(sign * value for value in after):
        return False
    if len(before) >= MIN_BAND_RUNS:
        return _outside(_mean(after), before)
    if len(after) >= MIN_BAND_RUNS:
        return _outside(_mean(before), after)
    return drop > max(max(side) - min(side) for side in (before, after))


def _outside(value: float, values: Sequence[float]) -> bool:
    low, high = noise_band(values)
    return low is not None and high is not None and not low <= value <= high


def band_left_by_last_run(series: Series) -> tuple[float, float] | None:
    """Return the noise band of the runs before the last one, if the last one is outside and worse."""
    level = series.levels[-1]
    before = series.values[level.first : -1]
    if len(before) < MIN_BAND_RUNS:
        return None
    low, high = noise_band(before, possible_range(series.metric))
    last, mean = series.values[-1], _mean(before)
    if low is None or high is None or abs(last - mean) < smallest_change(series.measure, mean):
        return None
    return (low, high) if (last < low if _higher_is_better(series) else last > high) else None


def _higher_is_better(series: Series) -> bool:
    return series.facts.direction == "higher"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
