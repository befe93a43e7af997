"""What is to be learned: (source, target) examples and their splits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from job.problems.addition import Addition
from job.problems.base import Problem
from job.problems.integers import Copy, Reverse, ReversedPrefix, Sort
from job.problems.plugin import build_plugin
from job.problems.text_pairs import TextPairs
from job.problems.time_series import TimeSeries
from job.spec.file_locations import PlannedData
from job.spec.problem_sections import ProblemSpec

__all__ = ["Problem", "build_problem"]

_GENERATED: dict[str, Callable[[Any, int], Problem]] = {
    "reversed_prefix": ReversedPrefix,
    "reverse": Reverse,
    "copy": Copy,
    "sort": Sort,
    "addition": Addition,
}
_FROM_FILES: dict[str, Callable[[Any, int, Path, PlannedData | None], Problem]] = {
    "text_pairs": TextPairs,
    "time_series": TimeSeries,
    "plugin": build_plugin,
}


def build_problem(
    spec: ProblemSpec, seed: int, directory: Path, planned: PlannedData | None = None
) -> Problem:
    """Build the problem that a spec describes.

    Args:
        spec: the problem's section.
        seed: decides everything that is drawn; never which side of a split a file's pair is on.
        directory: where the file names of the spec start.
        planned: what the data must be, None where whatever there is will do.

    Raises:
        ChangedDataError: it is something else.
        DataErrors: everything that is wrong with the data files.
    """
    if spec.kind in _GENERATED:
        return _GENERATED[spec.kind](spec, seed)
    return _FROM_FILES[spec.kind](spec, seed, directory, planned)
