"""The same problem at other sizes, on which a trained model is also evaluated."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from job.problems import build_problem
from job.spec.other_sizes import resized
from job.spec.problem_sections import PluginSpec, ProblemSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec

PROBLEMS = TypeAdapter(ProblemSpec)

COPY = {"kind": "copy", "source_length": 3, "cardinality": 9}
PREFIX = {"kind": "reversed_prefix", "source_length": 6, "target_length": 3, "cardinality": 9}
SUMS = {"kind": "addition", "digits": 3}
RESIZED = [
    (COPY, {"source_length": 8}),
    ({**COPY, "kind": "reverse"}, {"source_length": 2}),
    ({**COPY, "kind": "sort"}, {"source_length": 12}),
    (PREFIX, {"source_length": 12}),
    (PREFIX, {"source_length": 20, "target_length": 10}),
    (SUMS, {"digits": 4}),
    (SUMS, {"digits": 8}),
]


def built(spec):
    return build_problem(spec, 7, Path())


@pytest.mark.parametrize(("fields", "changes"), RESIZED)
def test_the_resized_problem_equals_that_of_its_own_spec(fields, changes):
    spec = PROBLEMS.validate_python(fields)
    assert resized(spec, changes) == PROBLEMS.validate_python({**fields, **changes})
    assert spec == PROBLEMS.validate_python(fields)


@pytest.mark.parametrize(("fields", "changes"), RESIZED)
def test_both_problems_have_the_same_vocabularies(fields, changes):
    spec = PROBLEMS.validate_python(fields)
    ours, other = built(spec), built(resized(spec, changes))
    assert ours.source_vocabulary == other.source_vocabulary
    assert ours.target_vocabulary == other.target_vocabulary
    assert ours.fixed_length == other.fixed_length
    lengths = {problem.examples("test", 200).source.shape[1] for problem in (ours, other)}
    assert len(lengths) == 2


def test_longer_sums_are_correct():
    problem = built(resized(PROBLEMS.validate_python({"kind": "addition", "digits": 2}), {"digits": 5}))
    test = problem.examples("test", 200)
    operands = [problem.source_vocabulary.decode(row).split("+") for row in test.source]
    assert [str(int(a) + int(b)) for a, b in operands] == list(
        map(problem.target_vocabulary.decode, test.target)
    )
    assert max(len(a) for a, _ in operands) == 5


def test_sizes_of_a_custom_problem():
    spec = PluginSpec(kind="plugin", name="mine", options={"length": 3, "deep": [1], "on": True, "word": "x"})
    assert spec.sizes == ("length",)
    other = resized(spec, {"length": 4})
    assert other.options == {"length": 4, "deep": [1], "on": True, "word": "x"}
    assert spec.options["length"] == 3


@pytest.mark.parametrize(
    ("spec", "changes", "message"),
    [
        (PROBLEMS.validate_python(COPY), {"digits": 3}, "digits.*known here: source_length"),
        (
            PROBLEMS.validate_python(COPY),
            {"cardinality": 3},
            "cardinality.*is not a size of problem copy",
        ),
        (PROBLEMS.validate_python(PREFIX), {"source_length": 2}, "longer than source_length 2"),
        (PROBLEMS.validate_python(SUMS), {"digits": 9}, "less than or equal to 8"),
        (TextPairsSpec(kind="text_pairs", data=PairFiles(file="f")), {"max_length": 3}, "has no size"),
    ],
)
def test_sizes_that_the_problem_does_not_have(spec, changes, message):
    with pytest.raises(ValueError, match=message):
        resized(spec, changes)


def test_examples_at_the_trained_size_do_not_change():
    spec = PROBLEMS.validate_python(COPY)
    same = built(resized(spec, {"source_length": 3}))
    assert np.array_equal(built(spec).examples("test", 9).source, same.examples("test", 9).source)
