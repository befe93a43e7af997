"""Vocabularies of a job that starts from a trained model: the tokens of it, then those of its data."""

import json

import pytest
from text_pair_problems import spec_of

from job.cli.checked_spec import load_checked_spec
from job.errors import SpecError
from job.problems import build_problem, pair_cache
from job.problems.earlier_tokens import own_tokens, read_earlier_tokens, tokens_of
from job.problems.vocabulary import UNKNOWN
from job.spec.problem_sections import CopySpec
from job.spec.text_pairs_section import ColumnsSpec, PairFiles, SubwordSpec, VocabularySpec

RESERVED = 4
WORDS = {"source_tokens": "words", "target_tokens": "words"}
SUBWORDS = {"source_tokens": "subwords", "target_tokens": "subwords", "subwords": SubwordSpec(size=24)}


def section(tmp_path, train, **fields):
    """Return a section with these training pairs; validation and test have the first one."""
    name = f"{len([*tmp_path.iterdir()])}.tsv"
    (tmp_path / name).write_text("".join(f"{line}\n" for line in train), "utf-8")
    (tmp_path / f"held-{name}").write_text(f"{train[0]}\n", "utf-8")
    held = PairFiles(file=f"held-{name}")
    return spec_of(train=PairFiles(file=name), validation=held, test=held, **fields)


def built(tmp_path, train, earlier=None, **fields):
    return build_problem(section(tmp_path, train, **fields), 7, tmp_path, earlier=earlier)


def tokens(problem):
    return [list(side.tokens[RESERVED:]) for side in (problem.source_vocabulary, problem.target_vocabulary)]


def test_earlier_tokens_come_first_and_keep_their_ids(tmp_path):
    parent = built(tmp_path, ["abc\tABCDE", "cde\tx", "fa\tx"])
    child = built(tmp_path, ["cd\tCD", "gh\tHG"], tokens_of(parent))
    assert tokens(child) == [[*"abcdef", *"gh"], ["A", "B", "C", "D", "E", "x", "G", "H"]]
    assert child.source_vocabulary.encode("fa") == parent.source_vocabulary.encode("fa")
    assert UNKNOWN not in child.source_vocabulary.encode("abcdefgh")
    assert child.describe()["vocabulary"] == {"source": 12, "target": 12}
    assert child.max_target_length == parent.max_target_length == 6  # those of the child have 3 with the end


def test_a_chain_of_models_keeps_all_tokens(tmp_path):
    first = built(tmp_path, ["z a\tz"], **WORDS)
    second = built(tmp_path, ["y b\tz"], tokens_of(first), **WORDS)
    third = built(tmp_path, ["c a x\tz"], tokens_of(second), **WORDS)
    assert tokens(third)[0] == ["a", "z", "b", "y", "c", "x"]


def test_limits_concern_new_tokens(tmp_path):
    parent = tokens_of(built(tmp_path, ["a b\tx"], **WORDS))
    lines = ["c c c d d e a\tx"]
    for limits, new in (({"min_count": 2}, ["c", "d"]), ({"max_size": 1}, ["c"]), ({"min_count": 9}, [])):
        child = built(tmp_path, lines, parent, vocabulary=VocabularySpec(**limits), **WORDS)
        assert tokens(child) == [["a", "b", *new], ["x"]]


@pytest.mark.parametrize("parent_shares", [False, True])
@pytest.mark.parametrize("child_shares", [False, True])
def test_shared_vocabularies(tmp_path, parent_shares, child_shares):
    parent = built(tmp_path, ["ab\tyx"], shared_vocabulary=parent_shares)
    child = built(tmp_path, ["bc\txz"], tokens_of(parent), shared_vocabulary=child_shares)
    before = ["abxy", "abxy"] if parent_shares else ["ab", "xy"]
    if child_shares:
        assert child.source_vocabulary is child.target_vocabulary
        assert tokens(child)[0] == [*"abxy", *"cz"]
    else:
        assert tokens(child) == [[*before[0], "c"], [*before[1], "z"]]


def test_features_are_tokens_too(tmp_path):
    columns = {"columns": ColumnsSpec(source=1, target=2, features=3)}
    parent = tokens_of(built(tmp_path, ["ab\tx\tN;PL"], **columns))
    child = built(tmp_path, ["bc\tx\tV/PL"], parent, features_separator="/", **columns)
    assert tokens(child)[0] == ["\tN", "\tPL", "a", "b", "\tV", "c"]
    assert child.source_vocabulary.read("ab\tN/V") == ["a", "b", "\tN", "\tV"]
    without = built(tmp_path, ["bc\tx"], parent)
    assert tokens(without)[0] == ["a", "b", "c"]
    assert tokens(built(tmp_path, ["bc\tx"], parent, shared_vocabulary=True))[1] == ["a", "b", "x", "c"]


def test_tokens_that_a_model_can_copy_are_numbered_after_all_others(tmp_path):
    parent = tokens_of(built(tmp_path, ["ab\tab"]))
    spec = section(tmp_path, ["bc\tbc"])
    child = build_problem(spec, 7, tmp_path, copies=True, earlier=parent)
    assert tokens(child) == [[*"abc"], [*"abc"]]
    assert child.source_vocabulary.encode("z")[0] >= len(child.source_vocabulary)


TEXTS = ["the cat sat on the mat", "a cat on a mat", "the mat"]


def test_subwords_are_those_of_the_earlier_model(tmp_path):
    """Its pieces keep their ids; characters that no piece has follow, each as a token of its own."""
    parent = built(tmp_path, [f"{text}\t{text}" for text in TEXTS], **SUBWORDS)
    lines = ["the \N{SNOWMAN}\N{COMET}cat\tcats", "\N{SNOWMAN}\tq"]
    child = built(tmp_path, lines, tokens_of(parent), **{**SUBWORDS, "subwords": SubwordSpec(size=9)})
    source, target = child.source_vocabulary, child.target_vocabulary
    assert source.tokens == (*parent.source_vocabulary.tokens, "\N{SNOWMAN}", "\N{COMET}")
    assert target.tokens == (*parent.target_vocabulary.tokens, "q")
    for text in TEXTS:
        assert source.model_tokens(text) == parent.source_vocabulary.model_tokens(text)
    for text in ("the \N{SNOWMAN}\N{COMET}cat", "\N{COMET}\N{COMET}", "cat"):
        ids = source.encode(source.read(text))
        assert UNKNOWN not in ids
        assert source.decode(ids) == text
        assert type(source).from_json(source.to_json()).read(text) == source.read(text)
    assert source.encode(source.read("\N{COMET}qzq\N{SNOWMAN}")).count(UNKNOWN) == 1  # a run, as before
    third = built(tmp_path, ["\N{BLACK STAR}\tcat"], tokens_of(child), **SUBWORDS)
    assert third.source_vocabulary.tokens == (*source.tokens, "\N{BLACK STAR}")
    assert third.target_vocabulary.tokens == target.tokens


def test_two_subword_models_cannot_become_one(tmp_path):
    parent = built(tmp_path, [f"{text}\t{text[::-1]}" for text in TEXTS], **SUBWORDS)
    child = built(tmp_path, ["cats\tmats"], tokens_of(parent), shared_vocabulary=True, **SUBWORDS)
    alone = built(tmp_path, ["cats\tmats"], shared_vocabulary=True, **SUBWORDS)
    assert child.source_vocabulary == alone.source_vocabulary


def test_tokens_of_another_kind_are_left_out(tmp_path):
    words = tokens_of(built(tmp_path, ["ab c\ta b c d e"], **WORDS))
    child = built(tmp_path, ["xy\tx"], words)
    assert tokens(child) == [["x", "y"], ["x"]]
    assert child.max_target_length == 2  # words and characters cannot be compared
    numbers = build_problem(CopySpec(kind="copy", source_length=2, cardinality=4), 7, tmp_path)
    child = built(tmp_path, ["4 5\t2"], tokens_of(numbers), **WORDS)
    assert tokens(child) == [["1", "2", "3", "4", "5"], ["1", "2", "3"]]
    assert child.target_vocabulary.unknown == UNKNOWN


def test_a_model_that_is_evaluated_again_has_its_own_tokens(tmp_path):
    """Whatever limits leave over: they would be counted anew after the tokens of that model."""
    spec = section(tmp_path, ["c c d\tx", "e c\tx"], vocabulary=VocabularySpec(max_size=1), **WORDS)
    child = build_problem(spec, 7, tmp_path, earlier=tokens_of(built(tmp_path, ["a\ty"], **WORDS)))
    record = {"source": child.source_vocabulary.to_json(), "target": child.target_vocabulary.to_json()}
    record["max_target_length"] = child.max_target_length
    (tmp_path / "vocabulary.json").write_text(json.dumps(record))
    again = build_problem(spec, 7, tmp_path, earlier=own_tokens(tmp_path))
    assert tokens(again) == tokens(child) == [["a", "c"], ["y", "x"]]
    changed = build_problem(spec, 7, tmp_path, earlier=read_earlier_tokens(tmp_path))
    assert tokens(changed)[0] == ["a", "c", "d"]


def test_the_cache_knows_the_earlier_tokens(tmp_path, monkeypatch):
    monkeypatch.setattr(pair_cache, "MIN_CACHED_BYTES", 0)
    spec, cache = section(tmp_path, ["bc\tx", "cd\tx"]), tmp_path / "cache"
    parents = [None, *(tokens_of(built(tmp_path, [f"{text}\ty"])) for text in ("az", "bz"))]
    for repeat in range(2):
        for earlier, expected in zip(parents, ("bcd", "azbcd", "bzcd"), strict=True):
            child = build_problem(spec, 7, tmp_path, cache=cache, earlier=earlier)
            assert tokens(child)[0] == [*expected], repeat
            source, _ = child.batch(0, 0, 2, 2)
            assert sorted(child.source_vocabulary.decode(row) for row in source) == ["bc", "cd"]
    assert len([*cache.iterdir()]) == 3


@pytest.mark.parametrize("record", [{"source": {}}, {"source": 3, "target": 3, "max_target_length": 2}, []])
def test_a_damaged_record(tmp_path, record):
    (tmp_path / "vocabulary.json").write_text(json.dumps(record))
    with pytest.raises(ValueError, match="not a vocabulary"):
        read_earlier_tokens(tmp_path)


SPEC = """\
version: 1
jobs:
  - name: child
    problem: {kind: text_pairs, train: {file: new.tsv}, validation: {file: new.tsv}, test: {file: new.tsv}}
    training: {examples: all, batch_size: 1, start_from: START}
"""
PARENT = """\
  - name: parent
    problem: {kind: text_pairs, train: {file: old.tsv}, validation: {file: old.tsv}, test: {file: old.tsv}}
    training: {examples: all, batch_size: 1}
"""


def test_what_is_planned_has_the_tokens_of_both(tmp_path):
    """Before the parent is trained, and from a directory; a damaged model is an error of the spec."""
    (tmp_path / "old.tsv").write_text("abc\tx\n")
    (tmp_path / "new.tsv").write_text("cd\ty\n")
    spec, model = tmp_path / "jobs.yaml", tmp_path / "model"
    spec.write_text(SPEC.replace("START", "parent") + PARENT)
    _, problems = load_checked_spec(spec)
    assert tokens(problems["child"]) == [[*"abcd"], ["x", "y"]]

    model.mkdir()
    (model / "train.keras").touch()
    sides = [
        side.to_json() for side in (problems["child"].source_vocabulary, problems["child"].target_vocabulary)
    ]
    record = {"source": sides[0], "target": sides[1], "max_target_length": 9}
    (model / "vocabulary.json").write_text(json.dumps(record))
    (tmp_path / "new.tsv").write_text("e\tz\n")
    spec.write_text(SPEC.replace("START", "model"))
    _, problems = load_checked_spec(spec)
    assert tokens(problems["child"]) == [[*"abcde"], ["x", "y", "z"]]
    assert problems["child"].max_target_length == 9

    (model / "vocabulary.json").write_text('{"source": {}}')
    with pytest.raises(SpecError, match=r"jobs.yaml:5: .*model has a vocabulary.json that cannot be used"):
        load_checked_spec(spec)
