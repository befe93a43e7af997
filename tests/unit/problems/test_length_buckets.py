"""Batches of at most a number of tokens: what is in them, and that nothing else decides it."""

from collections import Counter

import numpy as np
import pytest
from text_pair_problems import explicit, numbered, texts

from job.errors import DataError
from job.problems import build_problem
from job.problems.checking import check_jobs
from job.problems.length_buckets import length_buckets
from job.spec.spec_loading import load_located
from job.spec.text_pairs_section import PairFiles, TextPairsSpec

ALL = 10**9


def batches_of(problem, tokens=60, accumulate=1, examples="all"):
    return problem.token_batches(tokens, accumulate, problem.examples_per_epoch(examples))


def steps(batches, epoch):
    return [batches.batch(epoch, index) for index in range(batches.steps)]


def pairs_of(problem, batches, epoch):
    return [pair for batch in steps(batches, epoch) for pair in texts(problem, *batch)]


@pytest.mark.parametrize("tokens", [12, 60, 1000, 100_000])
def test_each_example_once_in_batches_of_at_most_so_many_tokens(tmp_path, tokens):
    problem = numbered(tmp_path)
    batches = batches_of(problem, tokens)
    expected = Counter(pairs_of(problem, batches_of(problem, ALL), 0))
    assert len(expected) == batches.examples == problem.examples_per_epoch("all")
    for epoch in (0, 3):
        assert Counter(pairs_of(problem, batches, epoch)) == expected
        for source, target in steps(batches, epoch):
            assert source.shape[0] == target.shape[0] >= 1
            assert source.shape[0] * (source.shape[1] + target.shape[1]) <= tokens


def test_little_padding_and_few_shapes(tmp_path):
    problem = numbered(tmp_path, 5000)
    batches = batches_of(problem, 200)
    made = [batch for epoch in (0, 1) for batch in steps(batches, epoch)]
    ids = np.concatenate([side.ravel() for batch in made for side in batch])
    assert (ids == 0).mean() < 0.1
    assert len({(s.shape, t.shape) for s, t in made}) < 30
    sizes = [len(source) * (source.shape[1] + target.shape[1]) for source, target in made]
    assert np.mean(sizes) > 150


def test_the_epoch_and_the_seed_decide_alone(tmp_path):
    problem, again = numbered(tmp_path), numbered(tmp_path)
    first = pairs_of(problem, batches_of(problem), 0)
    other = pairs_of(problem, batches_of(problem), 1)
    assert first != other
    last = batches_of(again)
    for index in reversed(range(last.steps)):  # in any order, as after a resumption
        for ours, theirs in zip(last.batch(1, index), batches_of(problem).batch(1, index), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    seeded = numbered(tmp_path, seed=8)
    assert pairs_of(seeded, batches_of(seeded), 0) != first


def test_batches_have_other_examples_in_each_epoch(tmp_path):
    problem = numbered(tmp_path)
    together = [
        {frozenset(texts(problem, *batch)) for batch in steps(batches_of(problem), epoch)} for epoch in (0, 1)
    ]
    assert len(together[0] & together[1]) < len(together[0]) / 10
    lengths = [[b[1].shape[1] for b in steps(batches_of(problem), epoch)] for epoch in (0, 1)]
    assert lengths[0] != lengths[1]
    assert sorted(lengths[0]) == sorted(lengths[1])
    assert lengths[0] != sorted(lengths[0])


def test_a_subset_is_that_of_batches_of_equal_size(tmp_path):
    problem = numbered(tmp_path)
    some = Counter(pairs_of(problem, batches_of(problem, examples=70), 2))
    equal = Counter(texts(problem, *problem.batch(0, 0, 70, 70)))
    assert some == equal
    assert sum(some.values()) == 70


def test_a_step_has_several_batches(tmp_path):
    problem = numbered(tmp_path)
    one, three = batches_of(problem, 60), batches_of(problem, 60, 3)
    assert Counter(pairs_of(problem, three, 1)) == Counter(pairs_of(problem, one, 1))
    for source, target in steps(three, 0):
        part = -(-len(source) // 3)
        assert part * (source.shape[1] + target.shape[1]) <= 60
    assert three.steps < one.steps


def test_a_step_too_many(tmp_path):
    batches = batches_of(numbered(tmp_path))
    with pytest.raises(IndexError, match="an epoch has"):
        batches.batch(0, batches.steps)


def test_buckets_are_similar_in_both_lengths():
    sources, targets = (a.ravel() for a in np.meshgrid(np.arange(1, 65), np.arange(1, 65)))
    sources, targets = np.tile(sources, 20), np.tile(targets, 20)
    rows = np.random.default_rng(0).permutation(len(sources))[:40_000]
    buckets = length_buckets(sources[rows], targets[rows], rows, 512)
    assert sorted(row for bucket in buckets for row in bucket.rows) == sorted(rows)
    for bucket in buckets:
        assert sources[bucket.rows].max() == bucket.source_width
        assert targets[bucket.rows].max() == bucket.target_width
        assert bucket.most * (bucket.source_width + bucket.target_width) <= 512
    padded = sum(len(b.rows) * (b.source_width + b.target_width) for b in buckets)
    assert padded < 1.15 * (sources + targets)[rows].sum()


LONG = "ab\tx\n\nabcdef\txyz\nb\tx\n"


def test_a_pair_that_is_longer_than_a_batch_is_named(tmp_path):
    problem = explicit(tmp_path, LONG)
    batches_of(problem, 10)  # 6 and 3, and the end
    with pytest.raises(DataError, match="9 is less than the 10 tokens of this pair") as caught:
        batches_of(problem, 9)
    assert (caught.value.file, caught.value.line) == (tmp_path / "train.tsv", 3)


def test_the_spec_check_names_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pairs.tsv").write_text(LONG)
    file = "{file: pairs.tsv}"
    spec = tmp_path / "jobs.yaml"
    spec.write_text(
        "jobs:\n"
        "  - name: long\n"
        f"    problem: {{kind: text_pairs, train: {file}, validation: {file}, test: {file}}}\n"
        "    training: {examples: all, tokens_per_batch: 9}\n"
    )
    _, complaints = check_jobs(load_located(spec))
    assert [str(complaint) for complaint in complaints] == [
        "pairs.tsv:3: jobs[0].training.tokens_per_batch: tokens_per_batch 9 is less than the 10 tokens of "
        "this pair (source 6, target 4 with its end); raise it, or lower problem.max_length"
    ]
    spec.write_text(spec.read_text().replace(": 9", ": 10"))
    problems, complaints = check_jobs(load_located(spec))
    assert not complaints
    assert list(problems) == ["long"]


def test_a_long_pair_of_two_files_is_named(tmp_path):
    (tmp_path / "s").write_text("a\nb b b\nc\n")
    (tmp_path / "t").write_text("x\ny\nz z\n")
    files = PairFiles(source_file="s", target_file="t")
    spec = TextPairsSpec(
        kind="text_pairs",
        train=files,
        validation=files,
        test=files,
        source_tokens="words",
        target_tokens="words",
        vocabulary={"max_size": 1},  # unknown tokens have one id
    )
    with pytest.raises(DataError) as caught:
        batches_of(build_problem(spec, 7, tmp_path), 4)
    assert (caught.value.file, caught.value.line) == (tmp_path / "s", 2)
