import itertools
import re

import numpy as np
import pytest

from job.problems.addition import Addition
from job.problems.base import Examples
from job.problems.integers import Copy
from job.problems.plugin import BrokenPromiseError, check_problem
from job.problems.vocabulary import Vocabulary
from job.spec.problem_sections import AdditionSpec, CopySpec


def sums():
    return Addition(AdditionSpec(kind="addition", digits=2), 7)


def copies():
    return Copy(CopySpec(kind="copy", source_length=3, cardinality=5), 7)


def with_arrays(change):
    """Return a factory of a problem whose arrays are changed by a function."""

    def build():
        problem, draw = sums(), sums().draw
        problem.draw = lambda generator, count: change(*draw(generator, count))
        return problem

    return build


def with_attribute(name, value, build=sums):
    def changed():
        problem = build()
        setattr(problem, name, value)
        return problem

    return changed


def at(array, column, value):
    changed = array.copy()
    changed[:, column] = value
    return changed


def with_texts(**texts):
    return with_attribute("examples", lambda *_: Examples(*sums().batch(0, 0, 2, 2), **texts))


BROKEN = {
    "number": (lambda: 3, "it lacks source_vocabulary"),
    "kind": (with_attribute("target_kind", "numbers"), "target_kind must be 'tokens'"),
    "vocabulary": (with_attribute("source_vocabulary", ["a"]), "source_vocabulary must be a job.problems"),
    "no end": (with_attribute("target_vocabulary", Vocabulary.integers(20)), "no end id"),
    "float": (with_arrays(lambda s, t: (s, t.astype(float))), "the target of a batch must be an array"),
    "list": (with_arrays(lambda s, t: (s.tolist(), t)), "the source of a batch must be an array"),
    "flat": (with_arrays(lambda s, t: (s.ravel(), t)), "the source of a batch must be an array (n, length)"),
    "nothing": (with_arrays(lambda s, t: (s * 0, t)), "a source of a batch is empty"),
    "no column": (with_arrays(lambda s, t: (s[:, :0], t)), "a source of a batch is empty"),
    "too large": (with_arrays(lambda s, t: (at(s, 0, 14), t)), "ids outside its vocabulary of 14"),
    "negative": (with_arrays(lambda s, t: (at(s, 0, -1), t)), "ids outside its vocabulary of 14"),
    "padded on the left": (with_arrays(lambda s, t: (s, at(at(t, 1, 0), 2, 4))), "pad on the right only"),
    "rows": (with_arrays(lambda s, t: (s, t[:1])), "sources and 1 targets; expected equal numbers"),
    "too long": (
        with_arrays(lambda s, t: (s, np.concatenate([np.full((2, 9), 4, np.int32), t], axis=1))),
        "but max_target_length is 4",
    ),
    "too short though fixed": (
        with_attribute("max_target_length", 4, copies),
        "lengths are fixed, but a target of a batch has 3 ids and max_target_length is 4",
    ),
    "not closed": (with_arrays(lambda s, t: (s, at(t, slice(None), 4))), "does not end with the end id"),
    "padded though fixed": (with_attribute("fixed_length", True), "of a batch is padded"),
    "no examples": (
        with_attribute("examples", lambda split, count: sums().examples(split, 0)),
        "the validation split has 0 examples",
    ),
    "more than asked for": (
        with_attribute("examples", lambda split, count: sums().examples(split, 5)),
        "the validation split has 5 examples where 1 or 2",
    ),
    "a pair for examples": (
        with_attribute("examples", lambda split, count: sums().batch(0, 0, 2, 2)),
        "the validation split must be a job.problems.base.Examples",
    ),
    "test split": (
        with_attribute(
            "examples",
            lambda split, count: Examples(*(a * (split != "test") for a in sums().batch(0, 0, 2, 2))),
        ),
        "a source of the test split is empty",
    ),
    "a text too few": (with_texts(sources=("1+2",)), "the validation split has 1 sources for 2 examples"),
    "references too many": (with_texts(references=(("3",),) * 3), "has 3 references for 2 examples"),
    "no reference": (with_texts(references=(("3",), ())), "has an example without a reference target"),
    "references that are texts": (
        with_texts(references=("XIX", "XLVI")),
        "the references of the validation split must be one tuple of texts for each example, found 'XIX'",
    ),
    "references of numbers": (with_texts(references=((3,), (4,))), "must be one tuple of texts"),
    "references that are nothing": (
        with_texts(references=None),
        "references of the validation split must be",
    ),
    "sources that are numbers": (
        with_texts(sources=(1, 2)),
        "the sources of the validation split must be texts",
    ),
    "a number of NumPy": (
        with_attribute("source_space", np.int64(50)),
        "its source_space, if it is not None, must be an int from 1, found np.int64(50)",
    ),
    "no number": (with_attribute("source_space", "many"), "its source_space, if it is not None, must be"),
    "a length of NumPy": (
        with_attribute("max_target_length", np.int64(4)),
        "its max_target_length must be an",
    ),
    "no truth": (with_attribute("fresh_each_epoch", "no"), "its fresh_each_epoch must be True or False"),
    "no batch": (with_attribute("batch", lambda *_: None), "batch() must return a pair of arrays"),
    "three arrays": (with_attribute("batch", lambda *_: (1, 2, 3)), "batch() must return a pair of arrays"),
    "no rows": (with_arrays(lambda s, t: (s[:0], t[:0])), "the source of a batch has no rows"),
    "too few rows": (with_arrays(lambda s, t: (s[:1], t[:1])), "a batch has 1 rows where 2 were asked for"),
    "no examples of an epoch": (
        with_attribute("examples_per_epoch", lambda asked: 0),
        "the result of examples_per_epoch(2) must be an int from 1, found 0",
    ),
    "half an example": (
        with_attribute("examples_per_epoch", lambda asked: 2.0),
        "must be an int from 1, found",
    ),
    "description": (with_attribute("describe", lambda: {"n": np.int64(3)}), "must return JSON values"),
    "description that is a text": (
        with_attribute("describe", lambda: "a text"),
        "must return a dict, not str",
    ),
    "description of no number": (with_attribute("describe", lambda: {"n": float("nan")}), "must return JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_errors_of_the_interface(case):
    build, message = BROKEN[case]
    with pytest.raises(BrokenPromiseError, match=re.escape(message)):
        check_problem(build())


@pytest.mark.parametrize("build", [sums, copies])
def test_built_in_problems_implement_the_interface(build):
    check_problem(build())


def test_a_batch_that_changes_is_an_error():
    problem = copies()
    value = itertools.cycle([1, 2])
    problem.batch = lambda *_: (np.full((2, 3), next(value), np.int32),) * 2
    with pytest.raises(BrokenPromiseError, match="differs when it is asked for again"):
        check_problem(problem)
