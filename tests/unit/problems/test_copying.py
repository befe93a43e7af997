"""Ids of tokens that a vocabulary lacks, and which source tokens a target can copy."""

import numpy as np
import pytest
from text_pair_problems import spec_of

from job.problems import build_problem
from job.problems.overlap import seen_in_training
from job.problems.ragged_rows import RaggedRows
from job.problems.unknown_ids import copy_table, numbered, spelled
from job.problems.vocabulary import END, UNKNOWN, Vocabulary, spelling_number
from job.spec.text_pairs_section import ColumnsSpec, PairFiles, VocabularySpec

SOURCE = Vocabulary.learn(["to", "be", "or", "\tN", "<end>"], " ", features=";")
TARGET = Vocabulary.learn(["be", "<end>", "not"], " ")
BOTH = numbered(SOURCE, TARGET)


def beyond(vocabulary, token):
    """Return the id of a token that the vocabulary lacks."""
    return len(vocabulary) + spelling_number(token)


def test_unknown_tokens_have_ids_of_their_own_where_they_are_numbered():
    source, target = BOTH
    assert SOURCE.encode(["be", "Yorick"]) == [SOURCE.tokens.index("be"), UNKNOWN]
    row = source.encode(["be", "Yorick", "alas", "Yorick"])
    assert row[0] == SOURCE.tokens.index("be")
    assert row[1:] == [beyond(source, token) for token in ("Yorick", "alas", "Yorick")]
    assert row[1] - len(source) == target.encode(["Yorick"])[0] - len(target)
    assert min(row[1:]) >= len(source)
    assert max(row) < 2**31
    assert row[1] != row[2]


def test_a_feature_has_no_id_of_its_own():
    assert BOTH[0].encode(["\tPL"]) == [UNKNOWN]


def test_a_numbered_vocabulary_is_saved_and_one_that_is_not_has_the_file_of_before():
    for vocabulary in (*BOTH, SOURCE, TARGET):
        assert Vocabulary.from_json(vocabulary.to_json()) == vocabulary
    assert "numbered" not in SOURCE.to_json()
    with pytest.raises(ValueError, match="numbered must be true or false"):
        Vocabulary.from_json({**SOURCE.to_json(), "numbered": 1})
    with pytest.raises(ValueError, match="true only beside unknown"):
        Vocabulary.from_json({**BOTH[1].to_json(), "unknown": None})


def test_subwords_and_closed_vocabularies_are_left_as_they_are():
    closed = Vocabulary.learn("ab", "", closed=True)
    for pair in ((closed, TARGET), (SOURCE, closed)):
        assert numbered(*pair) == pair


def test_a_shared_vocabulary_stays_shared():
    first, second = numbered(TARGET, TARGET)
    assert first is second
    assert first.numbered


def test_unknown_characters_of_texts_have_ids_of_their_own():
    plain = Vocabulary.learn("ab", "")
    vocabulary, _ = numbered(plain, plain)
    ids = RaggedRows.encode(["a\u00e9", "\U0001f600b"], vocabulary, END).ids.tolist()
    a, b = (vocabulary.tokens.index(character) for character in "ab")
    first, second = (beyond(vocabulary, character) for character in "\u00e9\U0001f600")
    assert ids == [a, first, END, second, b, END]


def test_tokens_of_equal_spelling_correspond():
    table = dict(zip(SOURCE.tokens, copy_table(*BOTH, -1).tolist(), strict=True))
    assert table["be"] == TARGET.tokens.index("be")
    assert table["or"] == beyond(TARGET, "or")  # known to the source alone
    assert table["\tN"] == -1
    spelled_like_the_end = SOURCE.encode(["<end>"])[0]
    found = copy_table(*BOTH, -1)
    assert found[spelled_like_the_end] == TARGET.encode(["<end>"])[0] != TARGET.end
    assert found[[*SOURCE.reserved]].tolist() == [-1] * 4


def test_without_numbers_only_tokens_of_both_vocabularies_correspond():
    table = copy_table(SOURCE, TARGET, -1)
    assert {SOURCE.tokens[i] for i in np.flatnonzero(table >= 0)} == {"be", "<end>"}
    integers = Vocabulary.integers(5)
    assert copy_table(integers, integers, -1).tolist() == [-1, 1, 2, 3, 4]
    closed = Vocabulary.learn("ab", "", closed=True)
    assert (copy_table(Vocabulary.learn("bc", ""), closed, -1) >= 0).sum() == 1


def test_copied_tokens_are_spelled_as_in_the_source():
    _, target = BOTH
    ids = [*target.encode(["Yorick", "be", "alas", "Yorick"]), target.end, 0]
    vocabulary, row = spelled(target, ids, ["alas", "poor", "Yorick"])
    assert vocabulary.decode(row) == "Yorick be alas Yorick"
    assert vocabulary.unknown_spans(row) == ()
    vocabulary, row = spelled(target, ids, ["poor", "Yorick"])  # where has `alas` come from?
    assert vocabulary.decode(row) == "Yorick be <unk> Yorick"
    assert vocabulary.unknown_spans(row) == ((10, 15),)
    assert spelled(target, target.encode(["be"]), ["be"])[0] is target


# --- text pairs ---------------------------------------------------------------------------------------------

LINES = {
    "train": "ann saw rex\trex ann\nann saw pug\tpug ann\nann saw fido\tfido ann\n",
    "validation": "ann saw ben\tben ann\n",
    "test": "ann saw zoe\tzoe ann\nrex saw ann\tann rex\n",
}


def pairs(directory, lines=LINES, copies=True, **fields):
    for split, text in lines.items():
        (directory / f"{split}.tsv").write_text(text)
    files = {split: PairFiles(file=f"{split}.tsv") for split in lines}
    words = {"source_tokens": "words", "target_tokens": "words"}
    spec = spec_of(**files, **words, vocabulary=VocabularySpec(min_count=2), **fields)
    return build_problem(spec, 7, directory, copies=copies)


def test_a_pair_has_the_same_number_for_a_rare_token_on_both_sides(tmp_path):
    problem = pairs(tmp_path)
    sizes = len(problem.source_vocabulary), len(problem.target_vocabulary)
    source, target = problem.batch(0, 0, 3, 3)
    assert sorted(source[:, 2] - sizes[0]) == sorted(map(spelling_number, ("rex", "pug", "fido")))
    assert np.array_equal(source[:, 2] - sizes[0], target[:, 0] - sizes[1])
    plain = pairs(tmp_path, copies=False)
    for ours, theirs, size in zip((source, target), plain.batch(0, 0, 3, 3), sizes, strict=True):
        assert np.array_equal(np.where(ours < size, ours, UNKNOWN), theirs)


def test_examples_with_unknown_tokens_have_their_texts(tmp_path):
    test = pairs(tmp_path).examples("test", 9)
    assert set(test.sources) == {"ann saw zoe", "rex saw ann"}
    assert set(test.references) == {("zoe ann",), ("ann rex",)}


def test_a_source_with_an_unknown_token_does_not_count_as_seen(tmp_path):
    lines = {**LINES, "test": "ann saw rex\trex ann\n"}
    problem = pairs(tmp_path, lines)
    test = problem.examples("test", 9)
    assert seen_in_training(problem, test.source, 1, 3, 3).tolist() == [False]


def test_features_are_not_copied(tmp_path):
    lines = dict.fromkeys(LINES, "go\tgo went\tPST\ngo\tgo went\tPST\n")
    problem = pairs(tmp_path, lines, columns=ColumnsSpec(source=1, target=2, features=3))
    table = copy_table(problem.source_vocabulary, problem.target_vocabulary, -1)
    copied = {problem.source_vocabulary.tokens[i] for i in np.flatnonzero(table >= 0)}
    assert copied == {"go"}
