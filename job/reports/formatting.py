"""How names, numbers and ranges read in every report for people."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from job.metrics import DATA_UNIT, METRICS

_MAX_EXTRA_DECIMALS = 11
"""Decimals that may be written in addition to the usual number."""

_EXPONENT_FROM = 1e15
"""Numbers from here on are written with an exponent: no column has room for their digits."""


def plain(name: str) -> str:
    """Return a key of the JSON files as words, for instance `gate failed`."""
    return name.replace("_", " ")


def p_value(value: float) -> str:
    """Return a p-value with two digits; one too small for a float is not 0."""
    return f"{value:.2g}" if value else "<1e-300"


def clock_time(seconds: float) -> str:
    """Return a duration as hours, minutes and seconds, for instance `04:37:56`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest:02d}"


def quantity(name: str, value: float, *, failed_threshold: float | None = None) -> str:
    """Return a metric or timing with its unit, a fraction as a percentage.

    Args:
        name: of the metric or timing.
        value: its value.
        failed_threshold: a threshold that the value failed; as many digits are written as it takes to see
            that.
    """
    # 100 % and 0 % are written only if that is the exact value
    exact = value in (0, 1) or unit_of(name) != "fraction"
    usual = _number(unit_of(name), value, 0)
    if failed_threshold is None and (exact or _read(usual) not in (0, 100)):
        return _with_unit(name, usual)
    texts = _candidates(name, value)
    if failed_threshold is not None and failed_threshold != value:
        threshold = _read(_exact(name, failed_threshold))
        below = value < failed_threshold
        texts = [t for t in texts if _read(t) != threshold and (_read(t) < threshold) == below] or texts
    return _with_unit(name, next((t for t in texts if exact or _read(t) not in (0, 100)), texts[-1]))


@dataclass(frozen=True, kw_only=True)
class ChangeTexts:
    """Two values of a metric and their difference as numbers in one unit, with the same number of decimals.

    Args:
        before, now: the values.
        difference: with its sign.
        unit: symbol of the unit, empty if there is none.
    """

    before: str
    now: str
    difference: str
    unit: str


def change_texts(name: str, before: float, now: float, difference: float, *, decimals: int) -> ChangeTexts:
    """Return a change of a metric as texts.

    Args:
        name: of the metric.
        before, now: its values.
        difference: between the two.
        decimals: the fewest, for fractions in percent and points. More are written where the difference would
            have fewer than two digits, and where a value that is not 0 or 100 % would read as that.
    """
    scale = 100 if unit_of(name) == "fraction" else 1
    values = [scale * before, scale * now]
    if unit_of(name) not in ("fraction", "point"):
        largest = max(map(abs, values))
        decimals = max(0, 3 - math.floor(math.log10(largest))) if largest else 0
    most = decimals + _MAX_EXTRA_DECIMALS
    while decimals < most and not _shows(scale * difference, values, decimals, percent=scale == 100):
        decimals += 1
    return ChangeTexts(
        before=f"{values[0]:,.{decimals}f}",
        now=f"{values[1]:,.{decimals}f}",
        difference=f"{scale * difference:+,.{decimals}f}" if difference else f"{0:.{decimals}f}",
        unit=_symbol(unit_of(name)),
    )


def _shows(difference: float, values: Iterable[float], decimals: int, *, percent: bool) -> bool:
    """Return whether this number of decimals is enough, see `change_texts`."""
    ends = [value for value in values if percent and round(value, decimals) in (0, 100)]
    return all(math.isclose(value, round(value), abs_tol=1e-12) for value in ends) and (
        math.isclose(difference, 0, abs_tol=1e-12) or abs(difference) >= 9.95 * 10**-decimals
    )


def exact_quantity(name: str, value: float) -> str:
    """Return a number from a spec with its unit and all of its decimals, at least the usual ones."""
    return _with_unit(name, _exact(name, value))


def percent(fraction: float) -> str:
    """Return a fraction as a percentage: two decimals, more where it would be rounded to 0 or 100."""
    return quantity("sequence_accuracy", fraction)


def duration(seconds: float) -> str:
    """Return a duration in seconds: two decimals below ten seconds, else one."""
    return quantity("train_seconds", seconds)


def unit_of(name: str) -> str:
    """Return the unit of a metric or timing as in `METRICS`; empty if it has none."""
    if name in METRICS:
        return METRICS[name].unit
    return "seconds" if name.endswith("_seconds") else ""


def ranges(values: Iterable[int], count: int) -> list[tuple[int, int]]:
    """Divide the distinct values, in order, into at most `count` ranges of equal size.

    Returns:
        the first and last value of each range.
    """
    distinct = sorted(set(values))
    size = math.ceil(len(distinct) / count)
    parts = [distinct[first : first + size] for first in range(0, len(distinct), size or 1)]
    return [(part[0], part[-1]) for part in parts]


def span(first: int, last: int) -> str:
    """Return a range as text: `3`, or `3-5`."""
    return str(first) if first == last else f"{first}-{last}"


def _candidates(name: str, value: float) -> list[str]:
    """Return a value in its unit, with the usual number of decimals first, then with more and more."""
    return [_number(unit_of(name), value, extra) for extra in range(_MAX_EXTRA_DECIMALS + 1)]


def _number(unit: str, value: float, extra: int) -> str:
    """Return a value in its unit with the usual number of decimals and `extra` more."""
    if unit == "fraction":
        return f"{100 * value:.{2 + extra}f}"
    if unit == "seconds":
        return f"{value:,.{(2 if value < 10 else 1) + extra}f}"
    if unit == "point":  # BLEU and chrF: papers give one or two decimals and no unit
        return f"{value:.{2 + extra}f}"
    if abs(value) >= _EXPONENT_FROM:
        return f"{value:.{6 + extra}g}"
    if (unit in ("", DATA_UNIT) or unit.endswith("/second")) and abs(value) < 1000:
        return f"{value:,.{4 + extra}g}"
    return f"{value:,.{extra}f}"


def _exact(name: str, value: float) -> str:
    texts = _candidates(name, value)
    whole = _read(texts[-1])
    return next(text for text in texts if math.isclose(_read(text), whole, rel_tol=1e-9))


def _read(number: str) -> float:
    return float(number.replace(",", ""))


def _with_unit(name: str, number: str) -> str:
    return f"{number} {_symbol(unit_of(name))}".rstrip()


_SYMBOLS = {"fraction": "%", "seconds": "s", "point": "", DATA_UNIT: ""}


def _symbol(unit: str) -> str:
    return _SYMBOLS.get(unit, unit)
