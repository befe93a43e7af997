import json

import pytest
from text_pair_problems import epoch_of, explicit

from job.problems.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("Cafe\u0301 \ufb01", "X")),
        ({"lowercase": True}, ("cafe\u0301 \ufb01", "x")),
        ({"normalize": "NFC"}, ("Caf\u00e9 \ufb01", "X")),
        ({"lowercase": True, "normalize": "NFKC"}, ("caf\u00e9 fi", "x")),
    ],
)
@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_texts_are_normalized_as_the_spec_says(tmp_path, fields, expected, tokens):
    # the accent is a separate character, and the last character is a ligature
    kinds = {"source_tokens": tokens, "target_tokens": tokens}
    problem = explicit(tmp_path, "Cafe\u0301 \ufb01\tX\n", **fields, **kinds)
    assert epoch_of(problem, 0, 1, 1) == [expected]


def test_a_vocabulary_stores_the_normalization(tmp_path):
    problem = explicit(tmp_path, "Caf\u00e9\tXY\n", lowercase=True, normalize="NFC")
    again = Vocabulary.from_json(json.loads(json.dumps(problem.source_vocabulary.to_json())))
    assert again.decode(again.encode(again.read("CAFE\u0301"))) == "caf\u00e9"
    assert problem.target_vocabulary.reading == again.reading


def test_sources_that_are_equal_after_normalization_are_one_source(tmp_path):
    problem = explicit(
        tmp_path, "a\tx\n", test="Cafe\u0301\tx\ncaf\u00e9\ty\n", lowercase=True, normalize="NFC"
    )
    assert problem.examples("test", 9).references == (("x", "y"),)


def test_texts_are_normalized_before_they_are_split_into_words(tmp_path):
    # NFKC decomposes U+00A8 into a space and an accent
    words = {"source_tokens": "words", "target_tokens": "words"}
    problem = explicit(tmp_path, "a\u00a8b\tx\n", normalize="NFKC", **words)
    assert problem.source_vocabulary.tokens[4:] == ("a", "\u0308b")


@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_a_shared_vocabulary(tmp_path, tokens):
    kinds = {"source_tokens": tokens, "target_tokens": tokens}
    problem = explicit(tmp_path, "b a\tc\n", **kinds, shared_vocabulary=True)
    assert problem.source_vocabulary is problem.target_vocabulary
    assert set("abc") <= set(problem.source_vocabulary.tokens)
    assert epoch_of(problem, 0, 1, 1) == [("b a", "c")]
    assert problem.describe()["vocabulary"]["source"] == problem.describe()["vocabulary"]["target"]
