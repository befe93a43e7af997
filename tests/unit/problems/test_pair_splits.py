import hashlib
import json
from pathlib import Path

import pytest
from text_pair_problems import CMUDICT, EVEN, epoch_of, explicit, held_out, numbered, spec_of, texts

from job.errors import DataErrors
from job.problems import build_problem
from job.spec.file_locations import checksum
from job.spec.text_pairs_section import PairFiles, SplitSpec


def test_every_pair_is_in_exactly_one_split(tmp_path):
    problem = numbered(tmp_path, split=EVEN)
    train = epoch_of(problem, 0, 32, problem.examples_per_epoch("all"))
    sides = train + held_out(problem, "validation") + held_out(problem, "test")
    # all digits and letters occur in the training pairs, so every text can be decoded
    assert sorted(sides) == sorted((str(i), chr(97 + i % 26) * (1 + i % 7)) for i in range(1000))


def test_split_sizes_are_close_to_the_fractions(tmp_path):
    pairs = numbered(tmp_path, 20_000, split=SplitSpec(validation=0.1, test=0.25)).describe()["pairs"]
    assert pairs["validation"] / 20_000 == pytest.approx(0.1, abs=0.01)
    assert pairs["test"] / 20_000 == pytest.approx(0.25, abs=0.01)


def test_the_documented_hash_splits_and_orders_the_sources(tmp_path):
    test = [source for source, _ in held_out(numbered(tmp_path, split=EVEN), "test")]
    fractions = {
        str(i): int.from_bytes(hashlib.blake2b(str(i).encode(), digest_size=8).digest(), "big") / 2**64
        for i in range(1000)
    }
    assert test == [source for source in sorted(fractions, key=fractions.get) if fractions[source] < 0.3]


def test_the_seed_does_not_affect_the_split(tmp_path):
    ours, theirs = (numbered(tmp_path, seed=seed, split=EVEN) for seed in (1, 2))
    assert held_out(ours, "test") == held_out(theirs, "test")
    assert ours.describe() == theirs.describe()


def test_all_targets_of_a_source_are_in_one_split(tmp_path):
    lines = [f"{i % 100}\t{'abc'[i // 100]}\n" for i in range(300)]
    (tmp_path / "pairs.tsv").write_text("".join(lines))
    problem = build_problem(spec_of(data=PairFiles(file="pairs.tsv"), split=EVEN), 7, tmp_path)
    train = {source for source, _ in epoch_of(problem, 0, 8, problem.examples_per_epoch("all"))}
    test = problem.examples("test", 100)
    assert not train & {source for source, _ in held_out(problem, "test")}
    assert set(test.references) == {("a", "b", "c")}
    assert len(test) == problem.describe()["sources"]["test"] < problem.describe()["pairs"]["test"]


def test_separate_files_define_the_split(tmp_path):
    problem = explicit(tmp_path, "b\ty\nc\tz\n", "b\tz\n", "c\ty\nb\tz\n")
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("b", "y"), ("c", "z")]
    assert held_out(problem, "validation") == [("b", "z")]
    assert sorted(held_out(problem, "test")) == [("b", "z"), ("c", "y")]


def test_a_smaller_count_returns_the_first_test_examples(tmp_path):
    problem = numbered(tmp_path, split=EVEN)
    few = problem.examples("test", 10)
    assert len(few) == 10
    assert texts(problem, few.source, few.target) == held_out(problem, "test")[:10]


def test_pairs_that_are_too_long_are_left_out_and_counted(tmp_path):
    problem = explicit(tmp_path, "abc\txy\nabcd\tx\na\twxyz\nab\txyz\n", max_length=3)
    assert sorted(epoch_of(problem, 0, 2, 2)) == [("ab", "xyz"), ("abc", "xy")]
    facts = problem.describe()
    assert facts["pairs"]["too_long"] == 2
    assert facts["longest"] == {"source": 3, "target": 3}
    assert problem.max_target_length == 4


@pytest.fixture(scope="module")
def g2p():
    spec = spec_of(data=PairFiles(file=CMUDICT), format="cmudict", target_tokens="words")
    return build_problem(spec, 7, Path("nowhere"))


def test_facts_about_the_real_cmudict(g2p):
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


def test_no_word_of_cmudict_is_in_two_splits(g2p):
    words = {split: {source for source, _ in held_out(g2p, split)} for split in ("validation", "test")}
    train = {source for source, _ in epoch_of(g2p, 0, 4096, g2p.examples_per_epoch("all"))}
    assert not train & words["validation"]
    assert not train & words["test"]
    assert not words["validation"] & words["test"]
    assert len(train) == g2p.describe()["sources"]["train"]


def test_the_description_has_the_checksum_of_every_file(tmp_path):
    facts = explicit(tmp_path, "a\tx\n").describe()
    assert facts["files"] == {
        f"{side}.tsv": checksum(tmp_path / f"{side}.tsv") for side in ("train", "validation", "test")
    }
    assert facts["pairs"] == {
        "read": 3, "repeated": 0, "too_long": 0, "train": 1, "validation": 1, "test": 1
    }  # fmt: skip


def test_a_split_with_only_pairs_that_are_too_long_is_an_error(tmp_path):
    with pytest.raises(DataErrors) as caught:
        explicit(tmp_path, "a\tb\n", test="abc\td\n", max_length=2)
    (error,) = caught.value.errors
    assert (error.file, error.key) == (tmp_path / "test.tsv", "max_length")
