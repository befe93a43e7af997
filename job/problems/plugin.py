"""Problems of other packages: loaded from entry points, built, and checked before use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from job.problems.base import TokenProblem
from job.problems.data_files import checksums_of
from job.problems.interface_checks import BrokenPromiseError, check_problem
from job.spec.entry_points import PROBLEMS
from job.spec.factories import call_factory, check_package, reporting_bugs
from job.spec.file_locations import PlannedData, changed_data
from job.spec.problem_sections import PluginSpec

__all__ = ["BrokenPromiseError", "Factory", "build_plugin", "check_problem"]

Factory: TypeAlias = Callable[[Mapping[str, Any], int, Path], TokenProblem]
"""The object that an entry point names: called with the spec's `options`, the seed and the spec directory.

It raises `ValueError` or `DataError` if the options, or files that they name, are wrong.
"""


def build_plugin(
    spec: PluginSpec, seed: int, directory: Path, planned: PlannedData | None = None
) -> TokenProblem:
    """Build a problem that another package offers.

    Args:
        spec: the problem's section: name and options.
        seed: determines all random numbers.
        directory: the spec directory; relative file names in the options start there.
        planned: checksums that the package and the files of the problem must have, None to accept any.

    Raises:
        ChangedDataError: the package or a file differs from `planned`.
        DataErrors: there is no such problem, it cannot be loaded, it rejects its options, or it does not
            implement `TokenProblem`.
    """
    with reporting_bugs(PROBLEMS, spec.name):
        problem: TokenProblem = call_factory(PROBLEMS, spec.name, spec.options, seed, directory)
        check_problem(problem)
        if planned is not None:
            _check_unchanged(spec.name, problem, planned)
    return problem


def _check_unchanged(name: str, problem: TokenProblem, planned: PlannedData) -> None:
    """Raise `ChangedDataError` if a file of the problem, or its package, differs from `planned`."""
    for file, found in checksums_of(problem).items():
        if planned.files.get(file, found) != found:
            raise changed_data(file, planned.files[file], found)
    check_package(PROBLEMS, name, planned.plugin)
