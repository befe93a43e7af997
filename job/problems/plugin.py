"""Problems of other packages: they are loaded from entry points, built, and checked before use."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

from job.errors import ChangedDataError, DataError, DataErrors
from job.problems.base import Examples, Ids, TokenProblem
from job.problems.data_files import checksums_of
from job.problems.vocabulary import PAD, Vocabulary
from job.spec import entry_points as plugins
from job.spec.file_locations import PlannedData, changed_data
from job.spec.problem_sections import PluginSpec

Factory: TypeAlias = Callable[[Mapping[str, Any], int, Path], TokenProblem]
"""What an entry point names: called with the spec's `options`, the seed and the directory of the spec.

It raises `ValueError` or `DataError` where the options, or files that they name, are wrong.
"""

_ATTRIBUTES = (
    "source_vocabulary",
    "target_vocabulary",
    "fixed_length",
    "max_target_length",
    "fresh_each_epoch",
    "source_space",
    "examples_per_epoch",
    "batch",
    "examples",
    "describe",
)


def build_plugin(
    spec: PluginSpec, seed: int, directory: Path, planned: PlannedData | None = None
) -> TokenProblem:
    """Build a problem that another package offers.

    Args:
        spec: its name and its options.
        seed: decides everything that is drawn.
        directory: where the file names in the options start.
        planned: what its package, and the files that it describes, must be.

    Raises:
        ChangedDataError: they are something else.
        DataErrors: there is no such problem, it cannot be loaded, it refuses its options, or it breaks a
            promise of `TokenProblem`.
    """
    try:
        entry = plugins.find(spec.name)
    except DataError as error:
        raise DataErrors([error]) from None
    try:
        problem = _built(entry, spec, seed, directory)
        check_problem(problem)
        if planned is not None:
            _check_unchanged(spec.name, problem, planned)
    except (DataErrors, ChangedDataError):
        raise
    except Exception as error:  # a stranger's code can raise anything
        raise DataErrors([_bug(error, entry)]) from error
    return problem


def _built(entry: EntryPoint, spec: PluginSpec, seed: int, directory: Path) -> TokenProblem:
    factory: Factory = entry.load()
    try:
        return factory(deepcopy(spec.options), seed, directory)
    except ValueError as error:
        raise DataErrors([DataError(str(error), key=_option(str(error), spec))]) from error
    except DataError as error:
        raise DataErrors([_of_option(error)]) from error
    except DataErrors as errors:
        raise DataErrors([_of_option(error) for error in errors.errors]) from errors


def _check_unchanged(name: str, problem: TokenProblem, planned: PlannedData) -> None:
    """Raise `ChangedDataError` where a file that was read, or the package, is not the planned one."""
    for file, found in checksums_of(problem).items():
        if planned.files.get(file, found) != found:
            raise changed_data(file, planned.files[file], found)
    found_package = plugins.identity(name)
    for key, was in planned.plugin.items():
        if found_package[key] != was:
            what = f"the package of problem {name!r} ({found_package['distribution']})"
            raise changed_data(what, was, found_package[key])


def _bug(error: Exception, entry: EntryPoint) -> DataError:
    last = traceback.extract_tb(error.__traceback__)[-1]
    what = str(error) if isinstance(error, BrokenPromiseError) else f"{type(error).__name__}: {error}"
    where = "" if isinstance(error, BrokenPromiseError) else f" ({last.filename}:{last.lineno})"
    return DataError(
        f"problem {entry.name!r} ({entry.value} of {plugins.owner(entry)}) has a bug: {what}{where}",
        key="name",
    )


def _of_option(error: DataError) -> DataError:
    key = f"options.{error.key}" if error.key else "options"
    return DataError(error.message, file=error.file, line=error.line, key=key)


def _option(message: str, spec: PluginSpec) -> str:
    """Return the key of the option that a sentence begins with, where it does."""
    word = message.partition(" ")[0]
    return f"options.{word}" if word in spec.options else "options"


# --- promises ---------------------------------------------------------------------------------------------


class BrokenPromiseError(Exception):
    """A problem does not keep a promise of `TokenProblem`; the text says which."""


def check_problem(problem: TokenProblem) -> None:
    """Check what can be checked of the promises of `TokenProblem` by looking at a few examples.

    For the tests of a package that offers a problem; `validate` checks the same.

    Raises:
        BrokenPromiseError: one is broken.
    """
    missing = [name for name in _ATTRIBUTES if not hasattr(problem, name)]
    _promise(not missing, f"it lacks {', '.join(missing)}")
    _promise(getattr(problem, "target_kind", "") == "tokens", "its target_kind must be 'tokens'")
    for side in ("source", "target"):
        _promise(
            isinstance(getattr(problem, f"{side}_vocabulary"), Vocabulary),
            f"its {side}_vocabulary must be a job.problems.vocabulary.Vocabulary",
        )
    if not problem.fixed_length:
        _promise(problem.target_vocabulary.end is not None, "targets vary in length but have no end id")
    count = problem.examples_per_epoch(2)
    first, again = (problem.batch(0, 0, count, count) for _ in range(2))
    _check_rows("a batch", problem, *first)
    same = all(np.array_equal(one, two) for one, two in zip(first, again, strict=True))
    _promise(same, "a batch is another when it is asked for again")
    for split in ("validation", "test"):
        _check_examples(f"the {split} split", problem, problem.examples(split, 2))
    described = problem.describe()
    _promise(isinstance(described, dict), f"describe() must return a dict, not {type(described).__name__}")
    try:
        json.dumps(described, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BrokenPromiseError(f"describe() must give JSON values: {error}") from None


def _check_examples(what: str, problem: TokenProblem, examples: Examples) -> None:
    _promise(isinstance(examples, Examples), f"{what} must be a job.problems.base.Examples")
    _promise(1 <= len(examples) <= 2, f"{what} has {len(examples)} examples where 1 or 2 were asked for")
    _check_rows(what, problem, examples.source, examples.target)
    for name in ("sources", "references"):
        told = len(getattr(examples, name))
        _promise(told in (0, len(examples)), f"{what} has {told} {name} for {len(examples)} examples")
    _promise(all(examples.references), f"{what} has an example without a reference target")


def _check_rows(what: str, problem: TokenProblem, source: Ids, target: Ids) -> None:
    """Check the arrays of one or two examples."""
    sides = (("source", source, problem.source_vocabulary), ("target", target, problem.target_vocabulary))
    for side, ids, vocabulary in sides:
        form = getattr(ids, "ndim", None), getattr(ids, "dtype", None)
        _promise(form == (2, np.int32), f"the {side} of {what} must be an array (n, length) of int32")
        _promise(ids.shape[1] > 0 and bool((ids[:, 0] != PAD).all()), f"a {side} of {what} is empty")
        within = bool(((ids >= 0) & (ids < len(vocabulary))).all())
        _promise(within, f"the {side} of {what} has ids that its vocabulary of {len(vocabulary)} lacks")
        padded = (ids[:, :-1] == PAD) & (ids[:, 1:] != PAD)
        _promise(not padded.any(), f"the {side} of {what} is not padded on the right alone")
        full = not problem.fixed_length or bool((ids != PAD).all())
        _promise(full, f"lengths are fixed, but the {side} of {what} is padded")
    _promise(len(source) == len(target), f"{what} has not as many sources as targets")
    longest = int((target != PAD).sum(axis=1).max())
    most = problem.max_target_length
    _promise(longest <= most, f"a target of {what} has {longest} ids, but max_target_length is {most}")
    if problem.fixed_length:
        found = f"a target of {what} has {longest} ids and max_target_length is {most}"
        _promise(longest == most, f"lengths are fixed, but {found}")
    else:
        last = target[np.arange(len(target)), (target != PAD).sum(axis=1) - 1]
        closed = bool((last == problem.target_vocabulary.end).all())
        _promise(closed, f"a target of {what} does not end in the end id")


def _promise(kept: bool, otherwise: str) -> None:
    if not kept:
        raise BrokenPromiseError(otherwise)
