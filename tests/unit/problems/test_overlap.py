from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from job.problems import build_problem, overlap, pair_cache
from job.problems.overlap import seen_in_training
from job.problems.vocabulary import Vocabulary
from job.spec.problem_sections import AdditionSpec, CopySpec, SortSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec, VocabularySpec


def trained_sources(problem, epochs, batch_size, examples):
    """Return the set of all training sources, as tuples without padding."""
    seen = set()
    for epoch, index in product(range(epochs), range(-(-examples // batch_size))):
        source, _ = problem.batch(epoch, index, batch_size, examples)
        seen |= {trimmed(row) for row in source}
    return seen


def trimmed(row):
    return tuple(np.trim_zeros(row, "b").tolist())


GENERATED = {
    "copy": CopySpec(kind="copy", source_length=3, cardinality=11),
    "sort": SortSpec(kind="sort", source_length=2, cardinality=200),
    "addition": AdditionSpec(kind="addition", digits=2),
}


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize("kind", sorted(GENERATED))
def test_agrees_with_a_set_of_all_training_sources(kind, epochs):
    problem = build_problem(GENERATED[kind], 7, Path())
    sources = problem.examples("test", 500).source
    training = trained_sources(problem, epochs, 64, 700)
    expected = [trimmed(row) in training for row in sources]
    assert seen_in_training(problem, sources, epochs, 64, 700).tolist() == expected
    assert 0 < sum(expected) < 500


@pytest.mark.parametrize("extra", [-1, 4])
def test_padding_is_ignored(extra):
    problem = build_problem(GENERATED["addition"], 7, Path())
    sources = problem.examples("test", 300).source
    narrow = sources[(sources[:, -1] == 0)]
    changed = narrow[:, :-1] if extra < 0 else np.pad(narrow, ((0, 0), (0, extra)))
    before = seen_in_training(problem, narrow, 1, 64, 700)
    assert np.array_equal(seen_in_training(problem, changed, 1, 64, 700), before)
    assert before.any()


def test_a_source_differs_from_its_prefix():
    problem = build_problem(CopySpec(kind="copy", source_length=1, cardinality=3), 7, Path())
    sources = np.array([[1, 0], [1, 1], [2, 0], [2, 1]], np.int32)
    assert seen_in_training(problem, sources, 1, 10, 100).tolist() == [True, False, True, False]


def test_a_source_with_an_unknown_token_never_counts():
    problem = SimpleNamespace(
        source_vocabulary=Vocabulary.learn("ab", ""),
        fresh_each_epoch=False,
        batch=lambda *_: (np.array([[4, 3], [4, 5]], np.int32), None),
    )
    sources = np.array([[4, 3], [4, 5], [3, 3]], np.int32)
    assert seen_in_training(problem, sources, 1, 2, 2).tolist() == [False, True, False]


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("vocabulary", [{"min_count": 2}, {"max_size": 2}])
def test_texts_decide_where_tokens_are_unknown(tmp_path, monkeypatch, cached, vocabulary):
    """`rare` and `never` are both unknown, so that ids alone would not tell these sources apart."""
    monkeypatch.setattr(pair_cache, "MIN_CACHED_BYTES", 0)
    (tmp_path / "train.tsv").write_text("a rare\tx\na b\ty\na b\ty\nonce b\tz\n")
    (tmp_path / "other.tsv").write_text("a rare\tx\na never\tx\nonce b\tz\nb once\tz\na b\tz\nnever\tz\n")
    files = dict.fromkeys(("validation", "test"), PairFiles(file="other.tsv"))
    spec = TextPairsSpec(
        kind="text_pairs",
        source_tokens="words",
        train=PairFiles(file="train.tsv"),
        **files,
        vocabulary=VocabularySpec(**vocabulary),
    )
    for _ in range(2):  # written, then read
        problem = build_problem(spec, 7, tmp_path, cache=tmp_path / "cache" if cached else None)
        test = problem.examples("test", 10)
        seen = seen_in_training(problem, test.source, 1, 2, 4, test.sources)
        found = {text for text, is_seen in zip(test.sources, seen, strict=True) if is_seen}
        assert found == {"a rare", "once b", "a b"}


def test_only_sources_that_were_trained_count_where_tokens_are_unknown(tmp_path):
    words = [f"w{i}" for i in range(20)]
    (tmp_path / "pairs.tsv").write_text("".join(f"{word} is\tx\n" for word in words))
    files = dict.fromkeys(("train", "validation", "test"), PairFiles(file="pairs.tsv"))
    limits = VocabularySpec(min_count=2)
    spec = TextPairsSpec(kind="text_pairs", source_tokens="words", **files, vocabulary=limits)
    problem = build_problem(spec, 7, tmp_path)
    test = problem.examples("test", 20)
    for examples in (5, 20):
        rows = problem.epoch_rows(0, examples).tolist()
        seen = seen_in_training(problem, test.source, 1, 5, examples, test.sources)
        found = {text for text, is_seen in zip(test.sources, seen, strict=True) if is_seen}
        assert found == {f"{words[row]} is" for row in rows}
    assert not seen_in_training(problem, test.source, 0, 5, 20, test.sources).any()


def test_every_occurrence_of_a_repeated_source_is_marked():
    problem = build_problem(GENERATED["copy"], 7, Path())
    one = problem.batch(0, 0, 64, 64)[0][:1]
    assert seen_in_training(problem, np.repeat(one, 5, axis=0), 1, 64, 64).tolist() == [True] * 5


def test_the_result_is_exact_if_hashes_collide(monkeypatch):
    real = overlap._multipliers

    def adding_up(length, attempt):
        return np.ones(length, np.uint64) if attempt == 0 else real(length, attempt)

    problem = build_problem(GENERATED["copy"], 7, Path())
    sources = problem.examples("test", 500).source
    expected = seen_in_training(problem, sources, 1, 64, 700)
    first = sources[:1]
    monkeypatch.setattr(overlap, "_multipliers", adding_up)
    assert np.array_equal(seen_in_training(problem, sources, 1, 64, 700), expected)
    # One source alone collides with nothing beside it, but with many that have its sum in training.
    assert seen_in_training(problem, first, 1, 64, 700)[0] == expected[0]
    unseen = next(row for row, seen in zip(sources, expected, strict=True) if not seen)
    assert not seen_in_training(problem, unseen[None], 1, 64, 700)[0]


def test_no_epochs_or_no_sources():
    problem = build_problem(GENERATED["copy"], 7, Path())
    assert not seen_in_training(problem, problem.examples("test", 5).source, 0, 64, 700).any()
    assert seen_in_training(problem, np.zeros((0, 3), np.int32), 1, 64, 700).shape == (0,)


def test_one_epoch_of_file_data_is_searched_and_a_shared_source_is_found(tmp_path, monkeypatch):
    (tmp_path / "train.tsv").write_text("ab\tx\ncde\ty\nf\tz\n")
    (tmp_path / "valid.tsv").write_text("abc\tx\n")
    (tmp_path / "test.tsv").write_text("abc\tx\ncde\ty\nfa\tz\n")
    groups = {
        side: PairFiles(file=f"{name}.tsv")
        for side, name in [("train", "train"), ("validation", "valid"), ("test", "test")]
    }
    problem = build_problem(TextPairsSpec(kind="text_pairs", **groups), 7, tmp_path)
    test = problem.examples("test", 10)
    texts = [problem.source_vocabulary.decode(row) for row in test.source]
    calls = []
    batch = problem.batch
    monkeypatch.setattr(problem, "batch", lambda *at: calls.append(at) or batch(*at))
    seen = seen_in_training(problem, test.source, 50, 2, 3)
    assert dict(zip(texts, seen.tolist(), strict=True)) == {"abc": False, "cde": True, "fa": False}
    assert calls == [(0, 0, 2, 3), (0, 1, 2, 3)]
