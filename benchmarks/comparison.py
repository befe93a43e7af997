"""Figures -> medians and slopes, compared with the targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

Parts = Mapping[str, Any]
"""What was measured, by part; see `benchmarks.parts`."""

OWN = "seq2seq-job"


def medians(runs: Sequence[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Return the median of each figure; None where a run lacks it.

    Raises:
        ValueError: the runs have different figures.
    """
    names = runs[0].keys()
    if any(run.keys() != names for run in runs):
        raise ValueError("the runs have different figures")
    columns = {name: [run[name] for run in runs] for name in names}
    return {
        name: None if None in values else float(median(v for v in values if v is not None))
        for name, values in columns.items()
    }


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Return the exponent of the power law that fits best: least squares over the logarithms.

    1 is linear: twice the x costs twice the y.

    Raises:
        ValueError: fewer than two different x.
    """
    if len(set(x)) < 2:
        raise ValueError("a slope takes two different x")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def check_parameters(rows: Mapping[str, Mapping[str, Any]], second_biases: int) -> None:
    """Check that all contenders train equally many numbers.

    Args:
        rows: contender -> its figures.
        second_biases: numbers that PyTorch's LSTMs have besides: a second bias beside the first.

    Raises:
        ValueError: one has another model.
    """
    counts = {
        name: int(row["parameters"]) - (second_biases if name == "PyTorch" else 0)
        for name, row in rows.items()
    }
    if len(set(counts.values())) != 1:
        raise ValueError(f"the models differ in their parameters: {counts}")


@dataclass(frozen=True, kw_only=True)
class Target:
    """What a figure should be.

    Attributes:
        number: groups the targets of one subject.
        text: the figure, in words.
        bound: the smallest or the largest value that meets the target.
        at_least: whether `bound` is the smallest.
        value: computes the figure from what was measured; raises `KeyError` if that was not.
    """

    number: int
    text: str
    bound: float
    at_least: bool = False
    value: Callable[[Parts], float]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """A target and its figure; None where it was not measured."""

    number: int
    text: str
    bound: float
    at_least: bool
    value: float | None

    @property
    def met(self) -> bool | None:
        if self.value is None:
            return None
        return self.value >= self.bound if self.at_least else self.value <= self.bound


def hold(targets: Sequence[Target], parts: Parts) -> list[Outcome]:
    """Compare what was measured with the targets."""
    return [
        Outcome(number=t.number, text=t.text, bound=t.bound, at_least=t.at_least, value=_value(t, parts))
        for t in targets
    ]


def _value(target: Target, parts: Parts) -> float | None:
    try:
        return target.value(parts)
    except KeyError:
        return None
