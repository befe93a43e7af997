"""Subwords: what is learned, split and joined."""

import pytest

from job.errors import DataError
from job.problems import subwords
from job.problems.subwords import Subwords
from job.spec.text_pairs_section import SubwordSpec

TEXTS = ["the cat sat on the mat", "a dog sat on a log", "the dogs and the cats"] * 20


@pytest.fixture(scope="module", params=["unigram", "bpe"])
def learned(request):
    return Subwords.learn(TEXTS, SubwordSpec(size=40, algorithm=request.param))


def test_pieces_of_a_text_join_to_the_text(learned):
    for text in {*TEXTS, "on the dot", "x", "the the"}:
        assert Subwords.join(learned.split(text)) == text


def test_a_frequent_word_is_one_piece_and_a_rare_one_is_several():
    learned = Subwords.learn(TEXTS, SubwordSpec(size=45, algorithm="bpe"))
    assert learned.split("the") == ["\u2581the"]
    assert len(learned.split("them")) > 1
    assert len(learned.pieces) <= 45
    assert set(learned.split("the cat")) <= set(learned.pieces)


def test_a_character_that_was_never_seen_is_a_piece_of_its_own_and_not_known(learned):
    pieces = learned.split("the \N{SNOWMAN} sat")
    assert "\N{SNOWMAN}" in pieces
    assert "\N{SNOWMAN}" not in learned.pieces


def test_markup_in_the_text_is_text(learned):
    """SentencePiece has symbols of these names; a text that is spelled like them is split as text."""
    for text in ("<unk> <s> </s>", "a<unk>b"):
        assert Subwords.join(learned.split(text)) == text
    assert "<unk>" not in learned.pieces


def test_the_same_texts_give_the_same_model_and_the_file_holds_it(learned):
    again = Subwords.from_json(learned.to_json())
    assert again == learned
    assert again.split("the cats sat") == learned.split("the cats sat")
    assert Subwords.learn(TEXTS, SubwordSpec(size=40)) == Subwords.learn(TEXTS, SubwordSpec(size=40))


@pytest.mark.parametrize("algorithm", ["unigram", "bpe"])
def test_of_large_data_a_part_evenly_chosen_is_learned_from(monkeypatch, algorithm):
    """SentencePiece keeps in memory what it learns from. Characters of the other texts have pieces too."""
    texts = [f"{word} house{'!' * (i == 7)}" for i, word in enumerate(["abc", "xyz"] * 500)]
    monkeypatch.setattr(subwords, "MAX_CHARACTERS", 10_000)
    spec = SubwordSpec(size=40, algorithm=algorithm)
    few = Subwords.learn(texts[20:120], spec)
    monkeypatch.setattr(subwords, "MAX_CHARACTERS", 1000)
    read = []
    part = Subwords.learn(Counted(texts, read), spec)
    assert len(read) == 2000  # a look at all of them, and the choice
    assert {"!", "x"} <= {*"".join(part.pieces)}
    assert "!" not in "".join(few.pieces)
    assert "\u2581house" in part.pieces
    assert part == Subwords.learn(texts, spec)


class Counted:
    """Texts that note that they are read."""

    def __init__(self, texts, read):
        self.texts, self.read = texts, read

    def __iter__(self):
        for text in self.texts:
            self.read.append(text)
            yield text


@pytest.mark.parametrize("data", ["", "!", "AAAA", "bm90IGEgbW9kZWw=", 3, None])
def test_what_is_no_model_is_refused(data):
    with pytest.raises(ValueError, match="not a SentencePiece model"):
        Subwords.from_json(data)


def test_more_characters_than_pieces_are_an_error_of_the_size():
    with pytest.raises(
        DataError, match=r"unigram model with 8 pieces .*smaller than required_chars"
    ) as error:
        Subwords.learn(TEXTS, SubwordSpec(size=8))
    assert error.value.key == "subwords.size"


def test_a_text_with_the_mark_of_spaces_is_an_error():
    with pytest.raises(DataError, match=r"U\+2581.*'a\u2581b'"):
        Subwords.learn([*TEXTS, "a\u2581b"], SubwordSpec(size=40))
