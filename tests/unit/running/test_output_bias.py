"""The output's bias starts at the logarithms of the frequencies of the target's tokens."""

import numpy as np
import pytest
from pydantic import ValidationError

from job.problems import build_problem
from job.running.model_cache import ModelCache
from job.running.output_bias import log_frequencies, start_with_frequencies
from job.spec.model_section import ModelSpec
from job.spec.schema import JobSpec
from job.spec.text_pairs_section import PairFiles, TextPairsSpec
from job.spec.training_section import TrainingSpec

LINES = [("ab", "xx"), ("b", "y"), ("ba", "xy"), ("aa", "x")]


def job_of(**model):
    file = PairFiles(file="pairs.tsv")
    return JobSpec(
        name="letters",
        problem=TextPairsSpec(
            kind="text_pairs", train=file, validation=file, test=file, target_tokens="characters"
        ),
        model=ModelSpec(units=8, output_bias="frequencies", **model),
        training=TrainingSpec(examples="all", batch_size=2),
    )


@pytest.fixture
def problem(tmp_path):
    (tmp_path / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in LINES))
    return build_problem(job_of().problem, 7, tmp_path)


def test_each_token_counts_once_more_than_it_occurs(problem):
    found = np.exp(log_frequencies(problem, job_of()))
    tokens = problem.target_vocabulary.tokens
    counts = {"<pad>": 0.5, "<start>": 1, "<end>": 5, "<unk>": 1, "x": 5, "y": 3}
    expected = np.array([counts[token] for token in tokens])
    np.testing.assert_allclose(found, expected / expected.sum(), rtol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    "model", [{}, {"attention": "luong_dot"}, {"attention": "monotonic"}, {"architecture": "transformer"}]
)
def test_the_model_starts_with_it_and_all_other_weights_are_as_drawn(problem, model):
    job = job_of(**model)
    compiled = ModelCache().prepare(problem, job, "fused")
    weights = compiled.loop.model.weights
    before = [weight.numpy() for weight in weights]
    start_with_frequencies(job, problem, compiled)
    changed = [w for w, old in zip(weights, before, strict=True) if not np.array_equal(w.numpy(), old)]
    (bias,) = changed
    assert bias.path.endswith("logits/bias")
    np.testing.assert_array_equal(bias.numpy(), log_frequencies(problem, job))


def test_without_the_key_the_spec_is_that_of_before():
    assert "output_bias" not in ModelSpec().model_dump(mode="json")


def test_numbers_have_no_frequencies():
    series = {"kind": "time_series", "file": "x.csv", "column": "x", "source_length": 2, "target_length": 1}
    with pytest.raises(ValidationError, match="output_bias frequencies counts tokens"):
        JobSpec.model_validate(
            {"name": "x", "problem": {**series, "test": 3}, "model": {"output_bias": "frequencies"}}
        )
