"""Lines of sources become ids, and a line that cannot is named."""

import json

import pytest
from token_samples import FIXED, FREE, OPEN, READ, SMALL, SUMS, WORDS

from job.errors import InputError
from job.inference.model_facts import ModelFacts
from job.inference.source_lines import read_sources


@pytest.mark.parametrize(
    ("facts", "lines", "expected"),
    [
        (FREE, ["1+2\n", "33+4"], [SUMS.encode("1+2"), SUMS.encode("33+4")]),
        (FREE, ["1+2\r\n", "\n", "3+4\n"], [SUMS.encode("1+2"), [], SUMS.encode("3+4")]),
        (FIXED, ["5  6\t7\n", "\n", " 1 2 3 "], [[5, 6, 7], [], [1, 2, 3]]),
        (OPEN, ["the dog sat"], [[WORDS.encode(["the"])[0], WORDS.unknown, WORDS.encode(["sat"])[0]]]),
        (READ, [" Cafe\u0301\r\n", "  \n"], [SMALL.encode("caf\u00e9"), []]),  # as in training
        (FREE, [], []),
    ],
)
def test_lines_become_ids(facts, lines, expected):
    assert list(read_sources(lines, facts, "in.txt")) == expected


@pytest.mark.parametrize(
    ("facts", "lines", "message"),
    [
        (FREE, ["1+2", "1-2"], "in.txt:2: token '-' is not one the model knows; known are +, 0, 1, "),
        (FREE, ["1 2"], "in.txt:1: token ' ' is not one the model knows"),
        (FIXED, ["1 2 51"], "in.txt:1: token '51' is not one the model knows; known are 1, 2, ..., 50"),
        (FIXED, ["1 2 0"], "in.txt:1: token '0' is not one the model knows"),
        (FIXED, ["1 2 x"], "in.txt:1: token 'x' is not one the model knows"),
        (FIXED, ["1 2 3", "", "1 2"], "in.txt:3: 2 tokens, but this model reads exactly 3"),
        (FIXED, ["1 2 3 4"], "in.txt:1: 4 tokens, but this model reads exactly 3"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(facts, lines, message):
    with pytest.raises(InputError) as caught:
        list(read_sources(lines, facts, "in.txt"))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_lines_before_a_bad_one_are_read():
    reader = read_sources(["1+2", "?"], FREE, "in.txt")
    assert next(reader) == SUMS.encode("1+2")


@pytest.mark.parametrize("facts", [FIXED, FREE, OPEN])
def test_model_facts_survive_json(facts):
    assert ModelFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts
