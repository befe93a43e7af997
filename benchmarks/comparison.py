"""Figures -> medians, slopes, and ratios held against the targets."""

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
    """A bar.

    Attributes:
        number: of the target; 0 for the bars that were there before.
        text: what is held against it.
        bound: the least, or the most.
        at_least: which.
        value: the figure, from what was measured; raises `KeyError` where it was not.
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
    """Hold what was measured against the targets."""
    return [
        Outcome(number=t.number, text=t.text, bound=t.bound, at_least=t.at_least, value=_value(t, parts))
        for t in targets
    ]


def _value(target: Target, parts: Parts) -> float | None:
    try:
        return target.value(parts)
    except KeyError:
        return None


def _over(part: str, figure: str, other: str) -> Callable[[Parts], float]:
    """Return how to find the job's figure over another's, at the tutorial's shape."""
    return lambda parts: float(_rows(parts, part)[OWN][figure] / _rows(parts, part)[other][figure])


def _rows(parts: Parts, part: str) -> Any:
    return parts["peers"]["tutorial"] if part == "peers" else parts[part]


def _own(part: str, figure: str) -> Callable[[Parts], float]:
    return lambda parts: float(_rows(parts, part)[OWN][figure])


def _flatness(parts: Parts) -> float:
    points = {point["x"]: point["peak_tree_rss_bytes"] for point in parts["examples"]["small"]["points"]}
    return float(points[10_000_000] / points[100_000])


PROGRAM = "tutorial's program"

TARGETS = (
    Target(
        number=0,
        text="wall time over the tutorial's program",
        bound=1 / 5,
        value=_over("tutorial", "wall_seconds", PROGRAM),
    ),
    Target(
        number=0,
        text="peak memory over the tutorial's program",
        bound=1 / 2,
        value=_over("tutorial", "peak_tree_rss_bytes", PROGRAM),
    ),
    Target(
        number=1,
        text="training examples a second over PyTorch's",
        bound=1,
        at_least=True,
        value=_over("peers", "examples_per_second", "PyTorch"),
    ),
    Target(
        number=1,
        text="training examples a second over plain Keras's",
        bound=1.5,
        at_least=True,
        value=_over("peers", "examples_per_second", "plain Keras"),
    ),
    Target(
        number=1,
        text="two at once: training examples a second over PyTorch's",
        bound=1,
        at_least=True,
        value=_over("pair", "examples_per_second", "PyTorch"),
    ),
    Target(
        number=2,
        text="wall time over the tutorial's program",
        bound=1 / 8,
        value=_over("tutorial", "wall_seconds", PROGRAM),
    ),
    Target(
        number=2,
        text="sequence accuracy on 10,000 fresh sequences",
        bound=0.999,
        at_least=True,
        value=_own("tutorial", "sequence_accuracy"),
    ),
    Target(
        number=3,
        text="greedy sequences a second",
        bound=20_000,
        at_least=True,
        value=_own("peers", "greedy_per_second"),
    ),
    Target(
        number=3,
        text="greedy sequences a second over PyTorch's loop",
        bound=1,
        at_least=True,
        value=_over("peers", "greedy_per_second", "PyTorch"),
    ),
    Target(
        number=3,
        text="beam 4 over greedy, sequences a second",
        bound=1 / 3,
        at_least=True,
        value=lambda parts: (
            _own("peers", "beam_per_second")(parts) / _own("peers", "greedy_per_second")(parts)
        ),
    ),
    Target(
        number=4,
        text="peak memory at 10,000,000 examples over that at 100,000 (flat: 5 % for noise)",
        bound=1.05,
        value=_flatness,
    ),
    Target(
        number=4,
        text="peak memory at the tutorial's shape, MB, all processes",
        bound=700,
        value=lambda parts: _own("tutorial", "peak_tree_rss_bytes")(parts) / 1e6,
    ),
    Target(
        number=5,
        text="seconds that a further small job of one shape costs beyond its training steps",
        bound=1.5,
        value=lambda parts: float(parts["jobs"]["one_shape"]["further_job_seconds"]),
    ),
    Target(
        number=5,
        text="the same of a job of another shape",
        bound=1.5,
        value=lambda parts: float(parts["jobs"]["other_shapes"]["further_job_seconds"]),
    ),
    Target(
        number=6,
        text="slope of training time in examples (linear: 5 % for noise)",
        bound=1.05,
        value=lambda parts: float(parts["examples"]["tutorial"]["slope"]),
    ),
    Target(
        number=6,
        text="slope of step time in length (linear: 5 % for noise)",
        bound=1.05,
        value=lambda parts: float(parts["series"]["length"]["slope"]),
    ),
    Target(
        number=6,
        text="slope of step time in units less that of the floor",
        bound=0,
        value=lambda parts: float(
            parts["series"]["units"]["slope"] - parts["series"]["units"]["floor_slope"]
        ),
    ),
)
