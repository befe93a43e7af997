import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from job import inference
from job.errors import InputError, ModelDirectoryError
from job.inference import ModelFacts, encode, load_model, predict, read_sources
from job.problems.reading import TextReading
from job.problems.vocabulary import Vocabulary, pad

SUMS = Vocabulary.learn("0123456789+", "", closed=True)
WORDS = Vocabulary.learn(["the", "cat", "sat"], " ")
NUMBERS = Vocabulary.integers(51)
FIXED = ModelFacts(NUMBERS, NUMBERS, fixed_length=True, source_length=3, max_target_length=2)
FREE = ModelFacts(SUMS, SUMS, fixed_length=False, source_length=None, max_target_length=4)
OPEN = ModelFacts(WORDS, WORDS, fixed_length=False, source_length=None, max_target_length=4)
SMALL = Vocabulary.learn("caf\u00e9 ", "", reading=TextReading(lowercase=True, normalize="NFC"))
READ = ModelFacts(SMALL, SMALL, fixed_length=False, source_length=None, max_target_length=4)


@pytest.fixture(scope="module")
def model(trained_job):
    return load_model(trained_job.paths.directory)


@pytest.fixture(scope="module")
def evaluated(trained_job):
    """The lines of `predictions.jsonl`."""
    return [json.loads(line) for line in trained_job.paths.predictions.read_text("utf-8").splitlines()]


def sources_of(evaluated):
    return [SUMS.encode(line["source"]) for line in evaluated]


# --- reading ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "lines", "expected"),
    [
        (FREE, ["1+2\n", "33+4"], [SUMS.encode("1+2"), SUMS.encode("33+4")]),
        (FREE, ["1+2\r\n", "\n", "3+4\n"], [SUMS.encode("1+2"), [], SUMS.encode("3+4")]),
        (FIXED, ["5  6\t7\n", "\n", " 1 2 3 "], [[5, 6, 7], [], [1, 2, 3]]),
        (OPEN, ["the dog sat"], [[WORDS.encode(["the"])[0], WORDS.unknown, WORDS.encode(["sat"])[0]]]),
        (READ, [" Cafe\u0301\r\n", "  \n"], [SMALL.encode("caf\u00e9"), []]),  # as in training
        (FREE, [], []),
    ],
)
def test_lines_become_ids(facts, lines, expected):
    assert list(read_sources(lines, facts, "in.txt")) == expected


@pytest.mark.parametrize(
    ("facts", "lines", "message"),
    [
        (FREE, ["1+2", "1-2"], "in.txt:2: token '-' is not one the model knows; known are +, 0, 1, "),
        (FREE, ["1 2"], "in.txt:1: token ' ' is not one the model knows"),
        (FIXED, ["1 2 51"], "in.txt:1: token '51' is not one the model knows; known are 1, 2, ..., 50"),
        (FIXED, ["1 2 0"], "in.txt:1: token '0' is not one the model knows"),
        (FIXED, ["1 2 x"], "in.txt:1: token 'x' is not one the model knows"),
        (FIXED, ["1 2 3", "", "1 2"], "in.txt:3: 2 tokens, but this model reads exactly 3"),
        (FIXED, ["1 2 3 4"], "in.txt:1: 4 tokens, but this model reads exactly 3"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(facts, lines, message):
    with pytest.raises(InputError) as caught:
        list(read_sources(lines, facts, "in.txt"))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_lines_before_a_bad_one_are_read():
    reader = read_sources(["1+2", "?"], FREE, "in.txt")
    assert next(reader) == SUMS.encode("1+2")


@pytest.mark.parametrize("facts", [FIXED, FREE, OPEN])
def test_what_one_must_know_to_use_a_model_survives_json(facts):
    assert ModelFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


# --- predicting ---------------------------------------------------------------------------------------------


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
    decode = model.compile_decoder()
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
    monkeypatch.setattr(inference, "ROWS", 64)
    expected = [line["predicted"] for line in evaluated]
    assert list(predict(model, sources_of(evaluated))) == expected
    with_gaps = [ids for source in sources_of(evaluated) for ids in (source, [])]
    assert list(predict(model, with_gaps))[::2] == expected


def test_sources_are_read_as_they_are_needed(model, evaluated, monkeypatch):
    monkeypatch.setattr(inference, "ROWS", 2)
    read = []

    def endless():
        while True:
            read.append(1)
            yield SUMS.encode("1+2")

    answers = predict(model, endless())
    assert next(answers) == next(answers)
    assert len(read) == 2


def test_no_sources_give_no_targets(model):
    assert model.compile_decoder()(np.zeros((0, 3), np.int32)).shape == (0, model.facts.max_target_length)


def test_a_new_process_gives_the_very_predictions_of_the_evaluation(trained_job, evaluated, tmp_path):
    given = tmp_path / "sources.txt"
    given.write_text("".join(line["source"] + "\n" for line in evaluated), "utf-8")
    command = [
        sys.executable,
        "-m",
        "job",
        "predict",
        str(trained_job.paths.directory),
        "--input",
        str(given),
    ]
    path = os.pathsep.join([str(Path(inference.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=True
    )
    assert done.stdout.splitlines() == [line["predicted"] for line in evaluated]


# --- encoding -----------------------------------------------------------------------------------------------


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


# --- loading ------------------------------------------------------------------------------------------------


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
def test_what_is_no_trained_model_is_said_to_be_none(trained_job, tmp_path, damage):
    shutil.copytree(trained_job.paths.model, tmp_path / "model")
    name, spoil = DAMAGES[damage]
    spoil(tmp_path / "model" / name)
    with pytest.raises(ModelDirectoryError, match=r"model: not a trained model \(") as caught:
        load_model(tmp_path)
    assert "expected the model/ directory of a finished job" in str(caught.value)


def test_a_directory_that_is_not_there_is_no_trained_model(tmp_path):
    with pytest.raises(ModelDirectoryError, match="nowhere: not a trained model"):
        load_model(tmp_path / "nowhere")
