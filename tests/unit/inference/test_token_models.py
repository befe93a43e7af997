"""A trained token model: predictions, contexts, loading."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from token_samples import FREE, SUMS, sources_of

from job.errors import ModelDirectoryError
from job.inference import token_lines
from job.inference.model_facts import ModelFacts
from job.inference.token_lines import encode, load_model, predict
from job.models.seq2seq import build_models
from job.problems.vocabulary import pad
from job.running.outputs import save_models
from job.spec.model_section import ModelSpec


def test_a_loaded_model_predicts_what_the_evaluation_predicted(model, evaluated):
    assert list(predict(model, sources_of(evaluated))) == [line["predicted"] for line in evaluated]
    assert 0 < sum(line["correct"] for line in evaluated) < len(evaluated)


def test_an_empty_line_gives_an_empty_line(model, evaluated):
    some = sources_of(evaluated)[:3]
    expected = [line["predicted"] for line in evaluated[:3]]
    given = [[], some[0], [], [], some[1], some[2], []]
    assert list(predict(model, given)) == ["", expected[0], "", "", expected[1], expected[2], ""]
    assert list(predict(model, [[], []])) == ["", ""]
    assert list(predict(model, [])) == []


def test_a_prediction_does_not_depend_on_its_batch(model, evaluated):
    """Alone, in another order, beside longer sources: the same."""
    sources = sources_of(evaluated)
    decode = model.decode
    together = decode(pad(sources))
    order = np.random.default_rng(1).permutation(len(sources))
    assert np.array_equal(decode(pad(sources)[order]), together[order])
    for i in (0, 7, 50):
        assert np.array_equal(decode(pad([sources[i]])), together[i : i + 1])
        beside = [sources[i], SUMS.encode("1+1+1+1+1+1+1")]
        assert np.array_equal(decode(pad(beside))[0], together[i])


def test_the_states_of_a_source_do_not_depend_on_its_batch(model, evaluated):
    sources = sources_of(evaluated)[:20]
    together = model.states(pad(sources))
    beside = model.states(pad([*sources[::-1], SUMS.encode("1+1+1+1+1+1+1")]))
    for name, states in together.items():
        assert np.array_equal(beside[name][:20][::-1], states)


def test_many_batches_give_what_one_gives(model, evaluated, monkeypatch):
    monkeypatch.setattr(token_lines, "MAX_SOURCES", 64)
    expected = [line["predicted"] for line in evaluated]
    assert list(predict(model, sources_of(evaluated))) == expected
    with_gaps = [ids for source in sources_of(evaluated) for ids in (source, [])]
    assert list(predict(model, with_gaps))[::2] == expected


def test_sources_are_read_as_they_are_needed(model, evaluated, monkeypatch):
    monkeypatch.setattr(token_lines, "MAX_SOURCES", 2)
    read = []

    def endless():
        while True:
            read.append(1)
            yield SUMS.encode("1+2")

    answers = predict(model, endless())
    assert next(answers) == next(answers)
    assert len(read) == 2


def test_no_sources_give_no_targets(model):
    assert model.decode(np.zeros((0, 3), np.int32)).shape == (0, model.facts.max_target_length)


ALONE = """
import sys

for name in ("job", "seq2seq_job"):
    sys.modules[name] = None  # importing it fails, however it is installed
folder_of_the_test, *sources = sys.argv[1:]
{block}
for source in sources:
    ids = [facts["source"]["tokens"].index(token) for token in source]
    target = decode(np.array([ids], "int32"))
    print("".join(facts["target"]["tokens"][i] for i in target if i != facts["target"]["end"]))
"""


def by_the_documented_loop(model, sources, tmp_path):
    """Return what the loop of the documentation decodes with the model of a directory."""
    page = Path(__file__).parents[3] / "docs" / "using-a-model.md"
    (block,) = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert "output/jobs/tutorial/model" in block
    block = block.replace('"output/jobs/tutorial/model"', "folder_of_the_test")
    (tmp_path / "alone.py").write_text(ALONE.format(block=block), "utf-8")
    command = [sys.executable, "-I", str(tmp_path / "alone.py"), str(model), *sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_documented_loop_decodes_without_this_package(trained_job, evaluated, tmp_path):
    sources = [line["source"] for line in evaluated[:20]]
    found = by_the_documented_loop(trained_job.paths.model, sources, tmp_path)
    assert found == [line["predicted"] for line in evaluated[:20]]


def test_the_documented_loop_decodes_with_a_transformer(tmp_path):
    spec = ModelSpec(architecture="transformer", units=16, layers=2)
    models = build_models(spec, len(SUMS), len(SUMS), masked=True)
    random = np.random.default_rng(3)
    models.train.set_weights([random.normal(scale=0.7, size=w.shape) for w in models.train.weights])
    save_models(models, FREE.to_json(), tmp_path / "model")
    sources = ["1+2", "33", "+", "4+5+678", "9"]
    expected = list(predict(load_model(tmp_path), [SUMS.encode(source) for source in sources]))
    assert len(set(expected)) > 1
    assert by_the_documented_loop(tmp_path / "model", sources, tmp_path) == expected


# --- encoding --------------------------------------------------------------------------------------------


def test_encode_writes_the_encoders_states(model, evaluated, tmp_path):
    sources = sources_of(evaluated)[:5]
    given = [sources[0], [], *sources[1:]]
    assert encode(model, given, tmp_path / "contexts.npz") == 5
    with np.load(tmp_path / "contexts.npz") as arrays:
        assert set(arrays.files) == {"ids", "h1", "c1"}
        assert arrays["ids"].tolist() == [0, 2, 3, 4, 5]
        assert arrays["ids"].dtype == np.int64
        h, c, _ = model.encoder(pad(sources))
        for name, expected in (("h1", h), ("c1", c)):
            assert arrays[name].shape == (5, 16)
            assert arrays[name].dtype == np.float32
            np.testing.assert_allclose(arrays[name], expected, atol=1e-6)
    assert list(tmp_path.iterdir()) == [tmp_path / "contexts.npz"]


def test_encode_without_a_source_writes_no_states(model, tmp_path):
    assert encode(model, [[], []], tmp_path / "contexts.npz") == 0
    with np.load(tmp_path / "contexts.npz") as arrays:
        assert arrays["ids"].shape == (0,)


# --- loading ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inner", [".", "model"])
def test_a_model_is_loaded_from_its_jobs_directory_or_its_own(trained_job, inner):
    loaded = load_model(trained_job.paths.directory / inner)
    assert loaded.facts == FREE_AS_TRAINED


FREE_AS_TRAINED = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=3)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-1000])


DAMAGES = {
    "no_vocabulary": ("vocabulary.json", Path.unlink),
    "vocabulary_that_is_no_json": ("vocabulary.json", lambda path: path.write_text("{")),
    "vocabulary_of_another_kind": ("vocabulary.json", lambda path: path.write_text("[]")),
    "vocabulary_without_a_key": ("vocabulary.json", lambda path: path.write_text('{"source": {}}')),
    "vocabulary_with_a_key_too_many": (
        "vocabulary.json",
        lambda path: path.write_text(json.dumps({**json.loads(path.read_text()), "new": 1})),
    ),
    "no_encoder": ("inference_encoder.keras", Path.unlink),
    "decoder_that_is_no_model": ("inference_decoder.keras", lambda path: path.write_text("no model")),
    "decoder_cut_short": ("inference_decoder.keras", cut_short),
}


@pytest.mark.parametrize("damage", sorted(DAMAGES))
def test_a_damaged_model_directory_is_refused(trained_job, tmp_path, damage):
    shutil.copytree(trained_job.paths.model, tmp_path / "model")
    name, spoil = DAMAGES[damage]
    spoil(tmp_path / "model" / name)
    with pytest.raises(ModelDirectoryError, match=r"model: not a trained model \(") as caught:
        load_model(tmp_path)
    assert "expected the model/ directory of a finished job" in str(caught.value)


def test_a_directory_that_is_not_there_is_no_trained_model(tmp_path):
    with pytest.raises(ModelDirectoryError, match="nowhere: not a trained model"):
        load_model(tmp_path / "nowhere")
