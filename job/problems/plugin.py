"""Problems of other packages: loaded from entry points, built, and checked before use."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TypeAlias

from job.errors import ChangedDataError, DataError, DataErrors
from job.problems.base import TokenProblem
from job.problems.data_files import checksums_of
from job.problems.interface_checks import BrokenPromiseError, check_problem
from job.spec import entry_points
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
    try:
        entry = entry_points.find(spec.name)
    except DataError as error:
        raise DataErrors([error]) from None
    try:
        problem = _build(entry, spec, seed, directory)
        check_problem(problem)
        if planned is not None:
            _check_unchanged(spec.name, problem, planned)
    except (DataErrors, ChangedDataError):
        raise
    except Exception as error:  # the code of another package can raise anything
        raise DataErrors([_bug_error(error, entry)]) from error
    return problem


def _build(entry: EntryPoint, spec: PluginSpec, seed: int, directory: Path) -> TokenProblem:
    factory: Factory = entry.load()
    try:
        return factory(deepcopy(spec.options), seed, directory)
    except ValueError as error:
        raise DataErrors([DataError(str(error), key=_option_key(str(error), spec))]) from error
    except DataError as error:
        raise DataErrors([_option_error(error)]) from error
    except DataErrors as errors:
        raise DataErrors([_option_error(error) for error in errors.errors]) from errors


def _check_unchanged(name: str, problem: TokenProblem, planned: PlannedData) -> None:
    """Raise `ChangedDataError` if a file of the problem, or its package, differs from `planned`."""
    for file, found in checksums_of(problem).items():
        if planned.files.get(file, found) != found:
            raise changed_data(file, planned.files[file], found)
    found_package = entry_points.identity(name)
    for key, expected in planned.plugin.items():
        if found_package[key] != expected:
            what = f"the package of problem {name!r} ({found_package['distribution']})"
            raise changed_data(what, expected, found_package[key])


def _bug_error(error: Exception, entry: EntryPoint) -> DataError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = str(error) if isinstance(error, BrokenPromiseError) else f"{type(error).__name__}: {error}"
    where = "" if isinstance(error, BrokenPromiseError) else f" ({last.filename}:{last.lineno})"
    return DataError(
        f"problem {entry.name!r} ({entry.value} of {entry_points.owner(entry)}) has a bug: {what}{where}",
        key="name",
    )


def _option_error(error: DataError) -> DataError:
    key = f"options.{error.key}" if error.key else "options"
    return DataError(error.message, file=error.file, line=error.line, key=key)


def _option_key(message: str, spec: PluginSpec) -> str:
    """Return the key of the option that is the first word of a message; `options` if there is none."""
    word = message.partition(" ")[0]
    return f"options.{word}" if word in spec.options else "options"
