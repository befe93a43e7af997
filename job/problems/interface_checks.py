"""Checks that a problem implements the interface `TokenProblem`, on a few of its examples."""

from __future__ import annotations

import json

import numpy as np

from job.problems.base import Examples, Ids, TokenProblem
from job.problems.vocabulary import PAD, Vocabulary
from job.spec.factories import BrokenPromiseError, require

__all__ = ["BrokenPromiseError", "check_problem"]

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


def check_problem(problem: TokenProblem) -> None:
    """Check a few examples of a problem, and its description, against the interface `TokenProblem`.

    This function is for the tests of a package that offers a problem; `validate` makes the same checks.

    Args:
        problem: the problem to check; it may be an object of any type.

    Raises:
        BrokenPromiseError: the first check that fails.
    """
    _check_attributes(problem)
    count = problem.examples_per_epoch(2)
    _check_count("the result of examples_per_epoch(2)", count)
    batch, same_batch = (_batch(problem, count) for _ in range(2))
    _check_arrays("a batch", problem, *batch)
    found = len(batch[0])
    require(found == count, f"a batch has {found} rows where {count} were asked for")
    same = all(np.array_equal(one, other) for one, other in zip(batch, same_batch, strict=True))
    require(same, "a batch differs when it is asked for again")
    for split in ("validation", "test"):
        _check_examples(f"the {split} split", problem, problem.examples(split, 2))
    described = problem.describe()
    require(isinstance(described, dict), f"describe() must return a dict, not {type(described).__name__}")
    try:
        json.dumps(described, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise BrokenPromiseError(f"describe() must return JSON values: {error}") from None


def _batch(problem: TokenProblem, count: int) -> tuple[Ids, Ids]:
    found: object = problem.batch(0, 0, count, count)
    pair = isinstance(found, tuple | list) and len(found) == 2
    require(pair, "batch() must return a pair of arrays: sources and targets")
    assert isinstance(found, tuple | list)
    return found[0], found[1]


def _check_count(what: str, count: object) -> None:
    """Refuse what is not an int, also a number of NumPy, which JSON does not have."""
    whole = type(count) is int and count >= 1
    require(whole, f"{what} must be an int from 1, found {count!r} ({type(count).__name__})")


def _check_attributes(problem: TokenProblem) -> None:
    missing = [name for name in _ATTRIBUTES if not hasattr(problem, name)]
    require(not missing, f"it lacks {', '.join(missing)}")
    require(getattr(problem, "target_kind", "") == "tokens", "its target_kind must be 'tokens'")
    for side in ("source", "target"):
        require(
            isinstance(getattr(problem, f"{side}_vocabulary"), Vocabulary),
            f"its {side}_vocabulary must be a job.problems.vocabulary.Vocabulary",
        )
    for name in ("fixed_length", "fresh_each_epoch"):
        value = getattr(problem, name)
        require(isinstance(value, bool), f"its {name} must be True or False, found {value!r}")
    _check_count("its max_target_length", problem.max_target_length)
    if problem.source_space is not None:
        _check_count("its source_space, if it is not None,", problem.source_space)
    if not problem.fixed_length:
        require(problem.target_vocabulary.end is not None, "targets vary in length but have no end id")


def _check_examples(what: str, problem: TokenProblem, examples: Examples) -> None:
    require(isinstance(examples, Examples), f"{what} must be a job.problems.base.Examples")
    require(1 <= len(examples) <= 2, f"{what} has {len(examples)} examples where 1 or 2 were asked for")
    _check_arrays(what, problem, examples.source, examples.target)
    for name in ("sources", "references"):
        given = getattr(examples, name)
        require(isinstance(given, tuple | list), f"the {name} of {what} must be a tuple, found {given!r}")
        count = len(given)
        require(count in (0, len(examples)), f"{what} has {count} {name} for {len(examples)} examples")
    texts = all(isinstance(text, str) for text in examples.sources)
    require(texts, f"the sources of {what} must be texts")
    for given in examples.references:
        nested = isinstance(given, tuple | list) and all(isinstance(text, str) for text in given)
        require(
            nested, f"the references of {what} must be one tuple of texts for each example, found {given!r}"
        )
    require(all(examples.references), f"{what} has an example without a reference target")


def _check_arrays(what: str, problem: TokenProblem, source: Ids, target: Ids) -> None:
    _check_ids(f"source of {what}", source, problem.source_vocabulary, problem.fixed_length)
    _check_ids(f"target of {what}", target, problem.target_vocabulary, problem.fixed_length)
    counts = f"{len(source)} sources and {len(target)} targets"
    require(len(source) == len(target), f"{what} has {counts}; expected equal numbers")
    longest = int((target != PAD).sum(axis=1).max())
    limit = problem.max_target_length
    require(longest <= limit, f"a target of {what} has {longest} ids, but max_target_length is {limit}")
    if problem.fixed_length:
        found = f"a target of {what} has {longest} ids and max_target_length is {limit}"
        require(longest == limit, f"lengths are fixed, but {found}")
    else:
        last = target[np.arange(len(target)), (target != PAD).sum(axis=1) - 1]
        closed = bool((last == problem.target_vocabulary.end).all())
        require(closed, f"a target of {what} does not end with the end id")


def _check_ids(what: str, ids: Ids, vocabulary: Vocabulary, fixed_length: bool) -> None:
    form = getattr(ids, "ndim", None), getattr(ids, "dtype", None)
    require(form == (2, np.int32), f"the {what} must be an array (n, length) of int32")
    require(len(ids) > 0, f"the {what} has no rows")
    require(ids.shape[1] > 0 and bool((ids[:, 0] != PAD).all()), f"a {what} is empty")
    known = bool(((ids >= 0) & (ids < len(vocabulary))).all())
    require(known, f"the {what} has ids outside its vocabulary of {len(vocabulary)}")
    padding_before_id = (ids[:, :-1] == PAD) & (ids[:, 1:] != PAD)
    require(not padding_before_id.any(), f"the {what} has padding before other ids; pad on the right only")
    full = not fixed_length or bool((ids != PAD).all())
    require(full, f"lengths are fixed, but the {what} is padded")
