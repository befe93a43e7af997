"""The fingerprint of test examples, and when two tests have the same examples."""

from __future__ import annotations

import hashlib

import pytest

from job.results.data_facts import DataFacts, Separators
from job.results.predictions import Prediction
from job.results.scored_examples import ScoredExamples, fingerprint_examples, fingerprint_predictions

TEXTS = [("a b", ("x", "y")), ("c", ("z",))]


def test_it_is_the_sha256_of_the_separator_and_a_line_for_each_example() -> None:
    content = b'{"separator": " "}["a b", "x", "y"]\n["c", "z"]\n'
    assert fingerprint_examples(TEXTS, " ") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize(
    ("texts", "separator"),
    [
        (TEXTS, ""),
        (TEXTS, None),
        (TEXTS[::-1], " "),
        (TEXTS[:1], " "),
        ([("a b", ("y", "x")), ("c", ("z",))], " "),
        ([("a b", ("x",)), ("c", ("z",))], " "),
        ([("a", ("b x", "y")), ("c", ("z",))], " "),
    ],
)
def test_anything_else_has_another_one(texts, separator) -> None:
    assert fingerprint_examples(texts, separator) != fingerprint_examples(TEXTS, " ")


def test_predictions_have_that_of_their_examples_whatever_is_predicted() -> None:
    data = DataFacts(separators=Separators(source="", target=" "))
    for predicted in ("x", "q"):
        lines = [
            Prediction("0", "a b", "x", predicted, correct=predicted == "x", references=("x", "y")),
            Prediction("1", "c", "z", predicted, correct=False),
        ]
        assert fingerprint_predictions(lines, data) == fingerprint_examples(TEXTS, " ")


def examples(count: int, *, known: bool = True, first: bool = True) -> ScoredExamples:
    return ScoredExamples(
        count=count,
        fingerprint=f"first {count}" if known else "",
        fingerprint_first=lambda n: f"first {n}" if first else "",
    )


def test_the_longer_test_may_begin_with_the_shorter() -> None:
    assert examples(3).same_as(examples(3, first=False))
    assert examples(3).same_as(examples(5))
    assert examples(5).same_as(examples(3, first=False))
    assert not examples(3).same_as(examples(5, first=False))
    assert not examples(3, known=False).same_as(examples(3, known=False))
