"""The targets: 1 training, 2 decoding, 3 the tutorial's job, 4 batches, 5 growth, 6 commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.comparison import OWN, Parts, Target

PROGRAM = "tutorial's program"
SHAPES = ("tutorial", "tutorial-32", "long", "g2p", "transformer", "classes")


def _over(part: str, figure: str, other: str, shape: str = "tutorial") -> Callable[[Parts], float]:
    """Return how to compute the job's figure divided by another program's."""

    def value(parts: Parts) -> float:
        rows = _rows(parts, part, shape)
        return float(rows[OWN][figure] / rows[other][figure])

    return value


def _own(part: str, figure: str) -> Callable[[Parts], float]:
    return lambda parts: float(_rows(parts, part, "tutorial")[OWN][figure])


def _rows(parts: Parts, part: str, shape: str) -> Any:
    return parts[part][shape] if part == "peers" else parts[part]


def _beam_over_greedy(shape: str) -> Callable[[Parts], float]:
    def value(parts: Parts) -> float:
        own = parts["peers"][shape][OWN]
        return float(own["beam_per_second"] / own["greedy_per_second"])

    return value


def _flatness(parts: Parts) -> float:
    points = {point["x"]: point["peak_tree_rss_bytes"] for point in parts["examples"]["small"]["points"]}
    return float(points[10_000_000] / points[100_000])


def _above_floor(parts: Parts) -> float:
    units = parts["series"]["units"]
    return float(units["slope"] - units["floor_slope"])


def _found(part: str, *keys: str) -> Callable[[Parts], float]:
    """Return how to look up a figure of a part."""

    def value(parts: Parts) -> float:
        found: Any = parts[part]
        for key in keys:
            found = found[key]
        return float(found)

    return value


def _at_least(number: int, text: str, bound: float, value: Callable[[Parts], float]) -> Target:
    return Target(number=number, text=text, bound=bound, at_least=True, value=value)


def _at_most(number: int, text: str, bound: float, value: Callable[[Parts], float]) -> Target:
    return Target(number=number, text=text, bound=bound, value=value)


_TRAINING = (
    *(
        _at_least(
            1,
            f"{shape}: training examples/s over PyTorch's",
            1,
            _over("peers", "examples_per_second", "PyTorch", shape),
        )
        for shape in SHAPES
    ),
    _at_least(
        1,
        "tutorial: training examples/s over plain Keras's",
        1.5,
        _over("peers", "examples_per_second", "plain Keras"),
    ),
    _at_least(
        1,
        "two at once: training examples/s over PyTorch's",
        1,
        _over("pair", "examples_per_second", "PyTorch"),
    ),
)
_DECODING = tuple(
    target
    for shape in SHAPES
    for target in (
        _at_least(
            2,
            f"{shape}: greedy sequences/s over PyTorch's loop",
            1,
            _over("peers", "greedy_per_second", "PyTorch", shape),
        ),
        _at_least(
            2,
            f"{shape}: beam 4 sequences/s over PyTorch's loop",
            1,
            _over("peers", "beam_per_second", "PyTorch", shape),
        ),
        _at_least(2, f"{shape}: beam 4 over greedy, sequences/s", 1 / 2, _beam_over_greedy(shape)),
    )
)
_TUTORIAL = (
    _at_most(3, "wall time over the tutorial's program", 1 / 8, _over("tutorial", "wall_seconds", PROGRAM)),
    _at_most(
        3, "peak memory over the tutorial's program", 1 / 2, _over("tutorial", "peak_tree_rss_bytes", PROGRAM)
    ),
    _at_most(
        3,
        "peak memory, MB, all processes",
        700,
        lambda parts: _own("tutorial", "peak_tree_rss_bytes")(parts) / 1e6,
    ),
    _at_least(3, "sequence accuracy on 10,000 fresh sequences", 0.999, _own("tutorial", "sequence_accuracy")),
)
_JOBS = (
    _at_most(
        4,
        "seconds that a further small job of one shape costs beyond its training steps",
        1.5,
        _found("jobs", "one_shape", "further_job_seconds"),
    ),
    _at_most(
        4, "the same of a job of another shape", 1.5, _found("jobs", "other_shapes", "further_job_seconds")
    ),
)
_WHOLE = (
    _at_least(
        4,
        "yoyodyne's whole command over this one's, seconds: same words, sizes and epochs",
        6,
        lambda parts: float(
            parts["yoyodyne"]["yoyodyne"]["wall_seconds"] / parts["yoyodyne"][OWN]["wall_seconds"]
        ),
    ),
    _at_most(
        4,
        "64 small jobs on two workers: seconds over their steps at the rate of two training processes",
        1.15,
        _found("two_workers", "over_ceiling"),
    ),
)
_GROWTH = (
    _at_most(
        5,
        "slope of training time in examples (linear: 5 % for noise)",
        1.05,
        _found("examples", "tutorial", "slope"),
    ),
    _at_most(
        5, "slope of step time in length (linear: 5 % for noise)", 1.05, _found("series", "length", "slope")
    ),
    _at_most(5, "slope of step time in units less that of the floor", 0, _above_floor),
    _at_most(
        5, "peak memory at 10,000,000 examples over that at 100,000 (flat: 5 % for noise)", 1.05, _flatness
    ),
)
_COMMANDS = (
    _at_most(6, "seconds of --help", 0.2, _found("commands", "help")),
    _at_most(6, "seconds of validate", 0.8, _found("commands", "validate")),
    _at_most(6, "seconds of trend over 365 nights of 20 jobs", 10, _found("commands", "trend")),
    _at_most(6, "seconds of report over 600 jobs", 10, _found("commands", "report")),
)

TARGETS = (*_TRAINING, *_DECODING, *_TUTORIAL, *_JOBS, *_WHOLE, *_GROWTH, *_COMMANDS)
