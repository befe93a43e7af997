import unicodedata

import pytest

from job.problems.normalization import UNCHANGED, TextNormalization
from job.problems.vocabulary import Vocabulary

EVERY = [
    TextNormalization(lowercase, form) for lowercase in (False, True) for form in ("none", "NFC", "NFKC")
]
CHARACTERS = [chr(code) for code in range(0x30000) if not 0xD800 <= code < 0xE000]


@pytest.mark.parametrize(
    ("reading", "text", "expected"),
    [
        (UNCHANGED, "Cafe\u0301 \ufb01", "Cafe\u0301 \ufb01"),
        (TextNormalization(normalize="NFC"), "Cafe\u0301 \ufb01", "Caf\u00e9 \ufb01"),
        (TextNormalization(normalize="NFKC"), "Cafe\u0301 \ufb01", "Caf\u00e9 fi"),
        (TextNormalization(lowercase=True), "CAFE\u0301 \u03a3\u0391\u03a3", "cafe\u0301 \u03c3\u03b1\u03c2"),
        (TextNormalization(lowercase=True, normalize="NFC"), "CAFE\u0301", "caf\u00e9"),
        (TextNormalization(lowercase=True, normalize="NFKC"), "\uff21\u212b", "a\u00e5"),
    ],
)
def test_reading(reading, text, expected):
    assert reading.read(text) == expected


@pytest.mark.parametrize("reading", EVERY, ids=str)
def test_reading_twice_is_reading_once(reading):
    """So a prediction, which is made of tokens that were read, reads as itself."""
    for text in [*CHARACTERS, *(f"A{character}\u0301" for character in CHARACTERS)]:
        once = reading.read(text)
        assert reading.read(once) == once, ascii(text)


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
def test_a_text_is_normal_when_it_was_read(form):
    reading = TextNormalization(lowercase=True, normalize=form)
    assert all(unicodedata.is_normalized(form, reading.read(character)) for character in CHARACTERS)


@pytest.mark.parametrize("reading", EVERY, ids=str)
def test_json_gives_the_same_reading_back(reading):
    assert TextNormalization.from_json(reading.to_json()) == reading
    vocabulary = Vocabulary.learn("ab", "", reading=reading)
    assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"lowercase": 1}, "lowercase must be true or false"),
        ({"normalize": "NFD"}, "normalize must be one of none, NFC, NFKC"),
        ({"uppercase": True}, "uppercase"),
        ([], "not a reading"),
    ],
)
def test_json_of_something_else_is_an_error(data, message):
    with pytest.raises(ValueError, match=message):
        TextNormalization.from_json(data)


def test_a_vocabulary_reads_a_line_as_a_data_file_is_read():
    reading = TextNormalization(lowercase=True, normalize="NFC")
    words = Vocabulary.learn(["caf\u00e9", "noir"], " ", reading=reading)
    assert words.read(" Cafe\u0301  NOIR\r\n") == ["caf\u00e9", "noir"]
    characters = Vocabulary.learn("caf\u00e9 noir", "", reading=reading)
    assert characters.read("\tCafe\u0301 N\n") == ["c", "a", "f", "\u00e9", " ", "n"]
    assert Vocabulary.integers(9).read(" 3 4\n") == ["3", "4"]


def test_what_was_decoded_is_split_as_it_is():
    characters = Vocabulary.learn("ab ", "")
    assert characters.split(" a") == [" ", "a"], "a space that was predicted counts"
