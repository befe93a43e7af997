"""Mixed training data: which pairs an epoch draws, and that nothing else about the data changes."""

from collections import Counter

import numpy as np
import pytest
from text_pair_problems import EVEN, check_batches_depend_on_arguments, epoch_of, errors_of, held_out, spec_of

from job.problems import build_problem, pair_cache
from job.problems.mixture import Mixture
from job.problems.overlap import seen_in_training
from job.spec.text_pairs_section import MixedFiles, PairFiles


def write(path, first, count):
    """Write pairs of a number and a letter, from `first` on."""
    path.write_text("".join(f"{i}\t{chr(97 + i % 26)}\n" for i in range(first, first + count)))
    return path.name


def mixed(tmp_path, *, counts=(200, 50), weights=(0.3, 0.7), seed=7, cache=None, **fields):
    """Build a problem with training files of `counts` pairs and their weights; the test has some of each."""
    parts, first = [], 0
    for i, (count, weight) in enumerate(zip(counts, weights, strict=True)):
        parts.append(MixedFiles(file=write(tmp_path / f"part{i}.tsv", first, count), weight=weight))
        first += count
    (tmp_path / "test.tsv").write_text(f"0\ta\n{first - 1}\ta\n{first}\ta\n")
    held = PairFiles(file="test.tsv")
    spec = spec_of(train=parts, validation=held, test=held, **fields)
    return build_problem(spec, seed, tmp_path, cache=cache)


def part_of(pair, counts=(200, 50)):
    return int(int(pair[0]) >= counts[0])


def test_examples_are_drawn_by_their_weights(tmp_path):
    """The shares of two parts, and the spread of the shares, are those of independent draws."""
    problem = mixed(tmp_path)
    examples, epochs = 400, 300
    counts = np.array([problem.mixture.drawn(epoch, examples)[0] for epoch in range(epochs)])
    deviation = np.sqrt(examples * 0.3 * 0.7)
    assert counts.mean() == pytest.approx(120, abs=5 * deviation / np.sqrt(epochs))
    assert counts.std() == pytest.approx(deviation, rel=5 / np.sqrt(2 * epochs))
    pairs = [pair for epoch in range(3) for pair in epoch_of(problem, epoch, 64, examples)]
    assert sum(part_of(pair) == 0 for pair in pairs) == counts[:3].sum(), "the batches are what was drawn"


@pytest.mark.parametrize("weights", [(3.0, 7.0), (0.003, 0.007)])
def test_only_the_ratio_of_weights_counts(tmp_path, weights):
    expected = [mixed(tmp_path).batch(*at) for at in [(0, 0, 16, 100), (4, 2, 16, 100)]]
    found = [mixed(tmp_path, weights=weights).batch(*at) for at in [(0, 0, 16, 100), (4, 2, 16, 100)]]
    for a, b in zip(expected, found, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_part_repeats_a_pair_only_after_all_its_others(tmp_path):
    problem = mixed(tmp_path)
    counts = Counter(epoch_of(problem, 2, 32, 400))
    of_parts = [[counts[p] for p in counts if part_of(p) == part] for part in (0, 1)]
    drawn = problem.mixture.drawn(2, 400).tolist()
    assert [sum(times) for times in of_parts] == drawn
    assert set(of_parts[0]) == {1}, "about 120 of 200"
    passes = drawn[1] // 50
    assert len(of_parts[1]) == 50
    assert set(of_parts[1]) == {passes, passes + 1}, "about 280 of 50"


def test_every_pair_of_a_large_part_is_drawn_in_time(tmp_path):
    problem = mixed(tmp_path)
    seen = {pair for epoch in range(100) for pair in epoch_of(problem, epoch, 64, 100)}
    assert len(seen) == 250, "an epoch has about 30 of 200; no subset is left out for good"


def test_a_batch_depends_on_its_arguments_only(tmp_path):
    """A resumed training, and each worker of a cluster, asks for the batches from the middle."""
    there = [(0, 0, 16, 300), (4, 3, 16, 300), (0, 1, 16, 300), (0, 1, 16, 200)]
    one, _ = check_batches_depend_on_arguments(lambda: mixed(tmp_path), there)
    other = mixed(tmp_path, seed=8)
    assert Counter(epoch_of(other, 0, 16, 300)) != Counter(epoch_of(one, 0, 16, 300))
    assert Counter(epoch_of(one, 1, 16, 300)) != Counter(epoch_of(one, 0, 16, 300))


def test_examples_of_an_epoch(tmp_path):
    problem = mixed(tmp_path)
    assert problem.examples_per_epoch("all") == 250
    assert problem.examples_per_epoch(1000) == 1000, "a part may be drawn more often than it has pairs"
    assert [len(problem.batch(0, i, 400, 1000)[0]) for i in range(3)] == [400, 400, 200]


def test_one_part_alone(tmp_path):
    problem = mixed(tmp_path, counts=(30,), weights=(5.0,))
    assert len(Counter(epoch_of(problem, 0, 8, 30))) == 30


def test_the_cache_gives_the_same_batches_whatever_the_weights(tmp_path, monkeypatch):
    """The tokenized pairs do not depend on the weights, so other weights use the same entry."""
    monkeypatch.setattr(pair_cache, "MIN_CACHED_BYTES", 0)
    for weights in ((0.3, 0.7), (0.9, 0.1)):
        for _ in range(2):  # written, then read
            cached = mixed(tmp_path, weights=weights, cache=tmp_path / "cache")
            plain = mixed(tmp_path, weights=weights)
            for at in [(0, 0, 16, 300), (3, 5, 16, 300)]:
                pairs = zip(cached.batch(*at), plain.batch(*at), strict=True)
                assert all(np.array_equal(x, y) for x, y in pairs)
            assert cached.describe() == plain.describe()
    assert len([*(tmp_path / "cache").iterdir()]) == 1


def test_test_sources_are_looked_up_in_all_pairs_of_all_files(tmp_path):
    problem = mixed(tmp_path, weights=(1e-6, 1.0))
    test = problem.examples("test", 9)
    sources = [problem.source_vocabulary.decode(row) for row in test.source]
    seen = seen_in_training(problem, test.source, 1, 16, 32)
    assert dict(zip(sources, seen.tolist(), strict=True)) == {"0": True, "249": True, "250": False}
    assert problem.mixture.drawn(0, 32)[0] == 0, "though none was drawn from the first file"
    assert not seen_in_training(problem, test.source, 0, 16, 32).any(), "no epoch, no training data"


def test_data_that_is_split_by_a_hash_can_be_mixed(tmp_path):
    """Test and validation are those of the same files as one group; training has the rest."""
    names = [write(tmp_path / "old.tsv", 0, 300), write(tmp_path / "new.tsv", 300, 60)]
    parts = [MixedFiles(file=name, weight=1.0) for name in names]
    mixture = build_problem(spec_of(data=parts, split=EVEN), 7, tmp_path)
    plain = build_problem(spec_of(data=PairFiles(file=names), split=EVEN), 7, tmp_path)
    assert mixture.describe() == plain.describe()
    assert set(mixture.describe()["files"]) == set(names)
    for split in ("validation", "test"):
        assert held_out(mixture, split) == held_out(plain, split)
    trained = set(epoch_of(plain, 0, 64, plain.examples_per_epoch("all")))
    counts = [sum(part_of(pair, (300,)) == part for pair in trained) for part in (0, 1)]
    assert mixture.mixture == Mixture((counts[0], counts[1]), (1.0, 1.0), 7)
    assert set(epoch_of(mixture, 0, 64, 2000)) == trained


def test_a_part_without_training_pairs_is_an_error(tmp_path):
    (tmp_path / "none.tsv").write_text("1\ta\n")  # its hash puts it into the test split
    name = write(tmp_path / "old.tsv", 0, 300)
    spec = spec_of(data=[MixedFiles(file=name, weight=1.0), MixedFiles(file="none.tsv", weight=2.0)])
    held = {s for split in ("validation", "test") for s, _ in held_out(build_problem(
        spec_of(data=PairFiles(file=name), split=EVEN), 7, tmp_path), split)}  # fmt: skip
    (tmp_path / "none.tsv").write_text(f"{min(held)}\ta\n")
    (error,) = errors_of(spec.model_copy(update={"split": EVEN}), tmp_path)
    assert (error.file, error.key) == (tmp_path / "none.tsv", "data[1]")
    assert "none of these pairs is a training pair" in error.message


def test_an_error_names_the_part_and_its_line(tmp_path):
    name = write(tmp_path / "old.tsv", 0, 9)
    (tmp_path / "bad.tsv").write_text("1\ta\n2\n")
    (tmp_path / "test.tsv").write_text("1\ta\n")
    held = PairFiles(file="test.tsv")
    parts = [MixedFiles(file=name, weight=1.0), MixedFiles(file="bad.tsv", weight=2.0)]
    (error,) = errors_of(spec_of(train=parts, validation=held, test=held), tmp_path)
    assert (error.file, error.line, error.key) == (tmp_path / "bad.tsv", 2, "train[1].file")
