import json
import re

import numpy as np
import pytest

from job.problems.vocabulary import PAD, Vocabulary, pad

LEARNED = Vocabulary.learn("banana", "")
WORDS = Vocabulary.learn(["go", "left", "go"], " ")


def test_learned_ids_follow_the_reserved_ids_in_sorted_order():
    assert LEARNED.tokens == ("<pad>", "<start>", "<end>", "<unk>", "a", "b", "n")
    assert (PAD, LEARNED.start, LEARNED.end, LEARNED.unknown) == (0, 1, 2, 3)
    assert LEARNED.encode("nab") == [6, 4, 5]


def test_the_order_of_the_training_tokens_does_not_matter():
    assert Vocabulary.learn("ananab", "") == LEARNED


def test_integers_are_their_own_ids():
    vocabulary = Vocabulary.integers(51)
    assert vocabulary.encode(["50", "1"]) == [50, 1]
    assert vocabulary.decode(np.array([50, 1], np.int32)) == "50 1"
    assert (vocabulary.start, vocabulary.end, vocabulary.unknown) == (0, None, None)


@pytest.mark.parametrize("token", ["0", "51", "-1", "01", "x"])
def test_an_integer_outside_the_range_is_an_error(token):
    with pytest.raises(KeyError, match=token):
        Vocabulary.integers(51).encode(["7", token])


@pytest.mark.parametrize("token", ["z", "<pad>", "<start>", "<end>", "<unk>"])
def test_a_token_that_was_not_learned_is_unknown(token):
    assert LEARNED.encode(["a", token, "b"]) == [4, 3, 5]


RESERVED = ["<end>", "<pad>", "<start>", "<unk>"]


@pytest.mark.parametrize("closed", [False, True])
def test_tokens_spelled_like_reserved_symbols_are_encoded_and_decoded(closed):
    vocabulary = Vocabulary.learn([*RESERVED, "stop"], " ", closed=closed)
    ids = vocabulary.encode([*RESERVED, "stop"])
    assert not set(ids) & vocabulary.reserved
    assert vocabulary.decode([*ids, vocabulary.end, ids[0]]) == "<end> <pad> <start> <unk> stop"
    assert vocabulary.unknown_spans(ids) == ()
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


def test_a_vocabulary_file_of_an_earlier_version():
    record = {"tokens": ["<pad>", "<start>", "<end>", "<unk>", "a", "b"], "separator": ""}
    vocabulary = Vocabulary.from_json({**record, "start": 1, "end": 2, "unknown": 3})
    assert vocabulary == Vocabulary.learn("ab", "")
    assert vocabulary.encode("b?") == [5, 3]
    assert vocabulary.decode([5, 3, 2]) == "b<unk>"


@pytest.mark.parametrize(
    ("vocabulary", "text", "spans"),
    [
        (LEARNED, "a<unk><unk>b", ((1, 6), (6, 11))),
        (WORDS, "go <unk> left <unk>", ((3, 8), (14, 19))),
        (Vocabulary(("", "?", "[UNK]", "a"), " ", start=1, end=1, unknown=2), "[UNK] a", ((0, 5),)),
    ],
)
def test_positions_of_unknown_tokens_in_the_text(vocabulary, text, spans):
    tokens = re.findall(r"<unk>|\[UNK\]|\w+" if vocabulary.separator else r"<unk>|.", text)
    ids = [vocabulary.unknown if t in ("<unk>", "[UNK]") else vocabulary.encode([t])[0] for t in tokens]
    assert vocabulary.decode(ids) == text
    assert vocabulary.unknown_spans(ids) == spans
    assert len(vocabulary.split(vocabulary.decode_readable(ids))) == len(ids)


def test_padding_of_integers_is_not_decoded():
    assert Vocabulary.integers(9).decode([0, 3, 5, 0, 0]) == "3 5"


def test_a_closed_vocabulary_has_no_unknown_id():
    vocabulary = Vocabulary.learn("01", "", closed=True)
    assert vocabulary.tokens == ("<pad>", "<start>", "<end>", "0", "1")
    with pytest.raises(KeyError):
        vocabulary.encode("2")


@pytest.mark.parametrize(("vocabulary", "text"), [(LEARNED, "ban nan"), (WORDS, "go  left")])
def test_split_and_decode(vocabulary, text):
    expected = "ban<unk>nan" if vocabulary is LEARNED else "go left"
    assert vocabulary.decode(vocabulary.encode(vocabulary.split(text))) == expected


def test_decoding_stops_at_the_end_id_and_skips_padding():
    assert LEARNED.decode([4, 5, 2, 6, 6]) == "ab"
    assert LEARNED.decode([1, 4, 5, 0, 0]) == "ab"
    assert LEARNED.decode([2, 4]) == ""


@pytest.mark.parametrize("vocabulary", [LEARNED, WORDS, Vocabulary.integers(5)])
def test_json_round_trip(vocabulary):
    assert Vocabulary.from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokens": None}, "not a vocabulary"),
        ({"tokens": ["<pad>", "<start>", "<end>", "<unk>", 5]}, "must be strings"),
        ({"tokens": ["<pad>", "<start>", "<end>", "<unk>", "a", "a"]}, "occurs twice"),
        ({"separator": ","}, "separator"),
        ({"end": 7}, "ids below 7"),
        ({"start": None}, "ids below 7"),
        ({"unknown": True}, "ids below 7"),
        ({"other": 1}, "other"),
        ({"reading": {"normalize": "NFX"}}, "not a text normalization"),
        ({"reading": None}, "not a text normalization"),
    ],
)
def test_invalid_values_in_json_are_an_error(change, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary.from_json({**LEARNED.to_json(), **change})


@pytest.mark.parametrize("data", [{"separator": ""}, [], None])
def test_json_of_another_type_is_an_error(data):
    with pytest.raises(ValueError, match="not a vocabulary"):
        Vocabulary.from_json(data)


def test_padding():
    assert pad([[1, 2], [3]]).tolist() == [[1, 2], [3, 0]]
    assert pad([[1]], 3).tolist() == [[1, 0, 0]]
    assert pad([]).shape == (0, 0)
    assert pad([[1]]).dtype == np.int32
