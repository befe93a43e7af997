import unicodedata
from typing import get_args

import pytest

from job.problems.normalization import UNCHANGED, TextNormalization
from job.problems.vocabulary import Vocabulary
from job.spec.text_pairs_section import Normalization

EVERY = [
    TextNormalization(lowercase, form) for lowercase in (False, True) for form in get_args(Normalization)
]
CHARACTERS = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize(
    ("reading", "text", "expected"),
    [
        (UNCHANGED, "Cafe\u0301 \ufb01", "Cafe\u0301 \ufb01"),
        (TextNormalization(normalize="NFC"), "Cafe\u0301 \ufb01", "Caf\u00e9 \ufb01"),
        (TextNormalization(normalize="NFKC"), "Cafe\u0301 \ufb01", "Caf\u00e9 fi"),
        (TextNormalization(normalize="NFD"), "\uc21c \u00e9 \ufb01", "\u1109\u116e\u11ab e\u0301 \ufb01"),
        (TextNormalization(normalize="NFKD"), "\uc21c \u3134 \ufb01", "\u1109\u116e\u11ab \u1102 fi"),
        (TextNormalization(lowercase=True), "CAFE\u0301 \u03a3\u0391\u03a3", "cafe\u0301 \u03c3\u03b1\u03c2"),
        (TextNormalization(lowercase=True, normalize="NFC"), "CAFE\u0301", "caf\u00e9"),
        (TextNormalization(lowercase=True, normalize="NFKC"), "\uff21\u212b", "a\u00e5"),
    ],
)
def test_normalization(reading, text, expected):
    assert reading.read(text) == expected


@pytest.mark.parametrize("reading", EVERY, ids=str)
def test_normalization_is_idempotent(reading):
    """A prediction consists of normalized tokens, so normalization does not change it."""
    for text in [*CHARACTERS, *(f"A{character}\u0301" for character in CHARACTERS)]:
        once = reading.read(text)
        assert reading.read(once) == once, ascii(text)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
def test_a_normalized_text_has_the_unicode_form(form):
    reading = TextNormalization(lowercase=True, normalize=form)
    assert all(unicodedata.is_normalized(form, reading.read(character)) for character in CHARACTERS)


@pytest.mark.parametrize("reading", EVERY, ids=str)
def test_json_round_trip(reading):
    assert TextNormalization.from_json(reading.to_json()) == reading
    vocabulary = Vocabulary.learn("ab", "", reading=reading)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"lowercase": 1}, "lowercase must be true or false"),
        ({"normalize": "NFE"}, "normalize must be one of none, NFC, NFD, NFKC, NFKD"),
        ({"uppercase": True}, "uppercase"),
        ([], "not a text normalization"),
    ],
)
def test_invalid_json_is_an_error(data, message):
    with pytest.raises(ValueError, match=message):
        TextNormalization.from_json(data)


def test_a_vocabulary_normalizes_lines_like_a_data_file():
    reading = TextNormalization(lowercase=True, normalize="NFC")
    words = Vocabulary.learn(["caf\u00e9", "noir"], " ", reading=reading)
    assert words.read(" Cafe\u0301  NOIR\r\n") == ["caf\u00e9", "noir"]
    characters = Vocabulary.learn("caf\u00e9 noir", "", reading=reading)
    assert characters.read("\tCafe\u0301 N\n") == ["c", "a", "f", "\u00e9", " ", "n"]
    assert Vocabulary.integers(9).read(" 3 4\n") == ["3", "4"]


def test_decoded_text_is_split_without_normalization():
    characters = Vocabulary.learn("ab ", "")
    assert characters.split(" a") == [" ", "a"], "a predicted space is a token"
