"""Vocabularies with limits, with features and of subwords."""

import pytest

from job.problems.subwords import Subwords
from job.problems.vocabulary import UNKNOWN, Vocabulary
from job.spec.text_pairs_section import SubwordSpec

RESERVED = 4


def known(vocabulary):
    return set(vocabulary.tokens[RESERVED:])


# --- limits -------------------------------------------------------------------------------------------------

WORDS = ["a", "b", "c", "a", "b", "a", "d"]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, {"a", "b", "c", "d"}),
        ({"min_count": 2}, {"a", "b"}),
        ({"max_size": 3}, {"a", "b", "c"}),  # c and d occur equally often
        ({"min_count": 2, "max_size": 1}, {"a"}),
        ({"min_count": 9}, set()),
    ],
)
def test_rare_tokens_become_unknown(limits, expected):
    vocabulary = Vocabulary.learn(WORDS, " ", **limits)
    assert known(vocabulary) == expected
    ids = vocabulary.encode(WORDS)
    assert [i == UNKNOWN for i in ids] == [word not in expected for word in WORDS]
    assert vocabulary.unknown_tokens(" ".join(WORDS)) == ids.count(UNKNOWN)


# --- features -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def featured():
    texts = ["Hund\tN;SG", "N\tV;SG"]
    empty = Vocabulary.learn([], "", features=";")
    return Vocabulary.learn([t for text in texts for t in empty.model_tokens(text)], "", features=";")


def test_a_feature_is_no_token_of_the_text(featured):
    assert featured.read("N\tN;SG\n") == ["N", "\tN", "\tSG"]
    first, second, _ = featured.encode(featured.read("N\tN;SG"))
    assert first != second
    assert UNKNOWN not in (first, second)


@pytest.mark.parametrize("text", ["Hund\tN;SG", "N\tV", "Hund"])
def test_texts_with_features_are_decoded_as_they_were(featured, text):
    ids = featured.encode(featured.read(text))
    assert featured.decode(ids) == featured.decode_readable(ids) == text
    assert Vocabulary.from_json(featured.to_json()).read(text) == featured.read(text)


def test_an_unknown_feature_is_unknown(featured):
    tokens = featured.read("Hund\tN;PL; ;SG")
    assert tokens == [*"Hund", "\tN", "\tPL", "\tSG"]
    ids = featured.encode(tokens)
    assert [i == UNKNOWN for i in ids] == [False] * 5 + [True, False]
    assert featured.unknown_tokens("Hund\tN;PL") == 1


def test_limits_keep_every_feature():
    tokens = ["\tN", "a", "a", "b"]
    assert known(Vocabulary.learn(tokens, "", features=";", max_size=1)) == {"\tN", "a"}


# --- subwords -----------------------------------------------------------------------------------------------

TEXTS = ["the cat sat on the mat", "a dog sat on a log", "the dogs and the cats"] * 20


@pytest.fixture(scope="module")
def subwords():
    return Vocabulary.of_subwords(Subwords.learn(TEXTS, SubwordSpec(size=40, algorithm="bpe")))


def test_a_text_in_subwords_is_decoded_as_it_was(subwords):
    for text in TEXTS[:3]:
        tokens = subwords.read(f"  {text}\n")
        assert len(tokens) > 1
        ids = subwords.encode(tokens)
        assert UNKNOWN not in ids
        assert subwords.decode([subwords.start, *ids, subwords.end, 5]) == text
        assert subwords.split(text) == text.split()  # what metrics count


@pytest.mark.parametrize("space", ["\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}", "\t", "  "])
def test_any_whitespace_separates_words_of_subwords_as_in_the_training_data(subwords, space):
    assert subwords.read(f"the{space}cat sat") == subwords.read("the cat sat")


def test_unknown_characters_in_subwords_have_their_positions(subwords):
    ids = subwords.encode(subwords.read("the \N{SNOWMAN} sat"))
    text = subwords.decode(ids)
    assert text == "the <unk> sat"
    assert [text[a:b] for a, b in subwords.unknown_spans(ids)] == ["<unk>"]
    assert subwords.decode_readable(ids) == "the \ufffd sat"


def test_a_file_holds_the_subword_model(subwords):
    again = Vocabulary.from_json(subwords.to_json())
    assert again == subwords
    assert again.read("the cats") == subwords.read("the cats")


def test_other_vocabularies_are_written_as_before():
    assert set(Vocabulary.learn("ab", "").to_json()) == {
        "tokens", "separator", "start", "end", "unknown", "reading"
    }  # fmt: skip
