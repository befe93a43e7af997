"""Pairs that are continued by another pair, `training.joined_pairs`: which ones, and how."""

from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError
from text_pair_problems import explicit, numbered

from job.problems import build_problem
from job.problems.training_batches import training_batches
from job.problems.vocabulary import END, START
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import MixedFiles, PairFiles, TextPairsSpec
from job.spec.training_section import TrainingSpec


def batches_of(problem, share=0.5, size=32, **keys):
    return training_batches(
        problem, TrainingSpec(**{"examples": "all", "batch_size": size, "joined_pairs": share, **keys})
    )


def epoch_of(batches, epoch=0):
    """Return the rows of an epoch, (source ids, target ids), without padding."""
    made = [batches.batch(epoch, index) for index in range(batches.steps)]
    return [
        (tuple(source[source != 0].tolist()), tuple(target[target != 0].tolist()))
        for sides in made
        for source, target in zip(*sides, strict=True)
    ]


def parts(row):
    """Return the pairs of a row: the parts between `START`, the target's each with its end."""
    source, target = row
    divided = []
    for ids in (source, target):
        at = ids.index(START) if START in ids else None
        divided.append([ids] if at is None else [ids[:at], ids[at + 1 :]])
    sources, targets = divided
    return list(zip(sources, [*[(*ids, END) for ids in targets[:-1]], targets[-1]], strict=True))


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_a_share_of_the_pairs_is_continued_by_whole_pairs_of_the_data(tmp_path, share):
    problem = numbered(tmp_path)
    plain = Counter(epoch_of(batches_of(problem, 0.0)))
    batches = batches_of(problem, share)
    rows = epoch_of(batches)
    assert len(rows) == batches.examples == plain.total(), "an epoch has as many examples as without"
    divided = [parts(row) for row in rows]
    assert Counter(pairs[0] for pairs in divided) == plain, "each pair occurs once as the first"
    second = [pairs[1] for pairs in divided if len(pairs) == 2]
    assert len(second) == round(share * len(rows))
    assert set(second) <= plain.keys()
    assert len(set(second)) > 0.5 * len(second) * share, "they are drawn from all pairs"


def test_each_epoch_draws_other_pairs_and_the_same_ones_again(tmp_path):
    problem = numbered(tmp_path)
    batches = batches_of(problem)
    first, second = epoch_of(batches, 0), epoch_of(batches, 1)
    joined = [{row for row in rows if START in row[0]} for rows in (first, second)]
    assert len(joined[0] & joined[1]) < 0.05 * len(joined[0])
    assert epoch_of(batches, 0) == first == epoch_of(batches_of(numbered(tmp_path)), 0)
    other = epoch_of(batches_of(numbered(tmp_path, seed=8)), 0)
    assert Counter(other) != Counter(first)


def test_batches_are_the_same_in_any_order(tmp_path):
    batches, places = batches_of(numbered(tmp_path)), [(0, 3), (2, 0), (0, 0), (2, 1)]
    found = {at: batches.batch(*at) for at in places}
    for at in reversed(places):
        for a, b in zip(found[at], batches.batch(*at), strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(IndexError, match="an epoch has"):
        batches.batch(0, batches.steps)


def test_the_ids_of_a_continued_pair(tmp_path):
    """Both texts of a single pair, written out: x = 4 and so on, after the four reserved ids."""
    problem = explicit(tmp_path, "ab\tx y\n", source_tokens="characters", target_tokens="words")
    (source,), (target,) = batches_of(problem, 1.0).batch(0, 0)
    a, b = (problem.source_vocabulary.tokens.index(t) for t in "ab")
    x, y = (problem.target_vocabulary.tokens.index(t) for t in "xy")
    assert source.tolist() == [a, b, START, a, b, 0], "padded to an even width"
    assert target.tolist() == [x, y, START, x, y, END]


def test_pairs_of_similar_length_share_a_batch(tmp_path):
    batches = batches_of(numbered(tmp_path, 5000))
    targets = [batches.batch(0, index)[1] for index in range(batches.steps)]
    assert np.mean(np.concatenate([ids.ravel() for ids in targets]) == 0) < 0.2


def test_mixed_files_and_a_subset_of_pairs(tmp_path):
    for name, letters in (("one", "abcdefgh"), ("two", "rstuvwxy")):
        (tmp_path / f"{name}.tsv").write_text("".join(f"{c}\t{c}\n" for c in letters))
    files = [MixedFiles(file=f"{name}.tsv", weight=weight) for name, weight in (("one", 1), ("two", 3))]
    held = PairFiles(file="one.tsv")
    spec = TextPairsSpec(kind="text_pairs", train=files, validation=held, test=held)
    problem = build_problem(spec, 7, tmp_path)
    drawn = epoch_of(batches_of(problem, 0.0, size=4, examples=40))
    joined = epoch_of(batches_of(problem, 0.5, size=4, examples=40))
    assert Counter(parts(row)[0] for row in joined) == Counter(drawn)
    assert {pair for row in joined for pair in parts(row)} <= set(drawn)


def test_it_is_for_text_pairs_in_batches_of_pairs():
    copy = {"kind": "copy", "source_length": 3, "cardinality": 9}
    with pytest.raises(ValidationError, match="joined_pairs is for problem text_pairs, not copy"):
        JobSpec.model_validate({"name": "x", "problem": copy, "training": {"joined_pairs": 0.5}})
    with pytest.raises(ValidationError, match="tokens_per_batch cannot be combined with joined_pairs"):
        TrainingSpec(tokens_per_batch=99, joined_pairs=0.5)
    assert "joined_pairs" not in TrainingSpec().model_dump(mode="json")
