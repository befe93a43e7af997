"""The context vectors of sources: as `encode` writes them, and on the plane that the report shows."""

import json

import numpy as np
import pytest
from oracle.seq2seq import EncoderDecoder

from job.evaluation.context_projection import principal_components
from job.inference.model_facts import ModelFacts
from job.inference.token_lines import encode, load_model
from job.inference.tokens import TrainedModel
from job.models.seq2seq import build_models
from job.problems.vocabulary import Vocabulary, pad
from job.spec.model_section import ModelSpec

SUMS = Vocabulary.learn("0123456789+", "", closed=True)
FACTS = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=4)


@pytest.mark.parametrize(
    ("architecture", "names"),
    [
        ({"cell": "lstm", "layers": 2, "bidirectional": True}, ["h1", "c1", "h2", "c2"]),
        ({"cell": "gru", "layers": 3}, ["h1", "h2", "h3"]),
        ({"cell": "lstm", "attention": "luong_general", "input_feeding": True}, ["h1", "c1"]),
        ({"cell": "lstm", "attention": "monotonic"}, ["h1", "c1"]),
    ],
)
def test_encode_names_the_states_of_every_layer(architecture, names, tmp_path):
    """Held against the papers' equations: no state may stand under another's name."""
    spec = ModelSpec(units=3, inputs="embedding", embedding_size=4, **architecture)
    models = build_models(spec, len(SUMS), len(SUMS), masked=True)
    random = np.random.default_rng(3)
    models.train.set_weights([random.normal(scale=0.7, size=w.shape) for w in models.train.weights])
    trained = TrainedModel(models.inference_encoder, models.inference_decoder, FACTS)
    sources = [SUMS.encode(text) for text in ("12+3", "4", "5+67")]
    assert encode(trained, sources, tmp_path / "contexts.npz") == 3
    oracle = EncoderDecoder(spec, models.train)
    with np.load(tmp_path / "contexts.npz") as arrays:
        assert arrays.files == ["ids", *names]
        for row, source in enumerate(sources):
            expected = [state for layer in oracle.encode(source)[0] for state in layer]
            found = [arrays[name][row] for name in names]
            np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_finished_job_leaves_its_sources_contexts_on_a_plane(trained_job):
    lines = trained_job.paths.predictions.read_text("utf-8").splitlines()
    evaluated = [json.loads(line) for line in lines]
    sources = pad([SUMS.encode(row["source"]) for row in evaluated])
    states = load_model(trained_job.paths.model).states(sources)
    found = json.loads(trained_job.paths.contexts.read_bytes())
    expected, explained = principal_components(np.concatenate([*states.values()], axis=1))
    np.testing.assert_allclose(found["coordinates"], expected, atol=1e-3)
    np.testing.assert_allclose(found["explained"], explained, atol=1e-3)
    assert found["ids"] == [row["id"] for row in evaluated]
    assert found["labels"] == [row["source"].index("+") for row in evaluated]
    assert found["states"] == ["h1", "c1"]
