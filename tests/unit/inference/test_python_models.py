"""Saved models in Python code: `job.load`, and the same objects from `predict --format json`."""

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from in_process import run_in_process
from one_python import on_one_python
from token_samples import SUMS, searching, tiny_model

import job
from job.errors import InputError, ModelDirectoryError
from job.inference import token_lines
from job.inference.ensembles import combine
from job.inference.model_facts import ModelFacts
from job.inference.number_lines import SavedForecaster
from job.inference.python_loading import python_model
from job.inference.python_numbers import NumberModel
from job.inference.python_tokens import TokenModel
from job.inference.token_lines import SavedTokenModel
from job.models.seq2seq import build_models
from job.problems.subwords import Subwords
from job.problems.vocabulary import Vocabulary
from job.problems.windows import Series
from job.spec.model_section import ModelSpec
from job.spec.text_pairs_section import SubwordSpec
from job.storage.artifacts import prepare_output
from job.storage.mirror import Mirror
from job.storage.remote_files import connect_store
from job.storage.store_address import parse_store

LINES = ["1+2", "9+9", "", "3+4", "0+7"]
TOLERANCE = 1e-5
"""Of a log-probability, as `docs/python.md` states it."""

ARCHITECTURES = {
    "no_attention": {"cell": "gru"},
    "luong_dot": {"attention": "luong_dot", "bidirectional": True},
    "bahdanau": {"attention": "bahdanau", "layers": 2, "inputs": "embedding", "embedding_size": 3},
    "input_feeding": {"attention": "luong_general", "input_feeding": True},
    "transformer": {"architecture": "transformer", "heads": 2},
}


@pytest.fixture(scope="module")
def loaded(trained_job):
    return job.load(trained_job.paths.directory)


def python_of(trained, facts=None):
    return TokenModel(SavedTokenModel(trained.encoder, trained.decoder, facts or trained.facts))


@pytest.fixture(scope="module", params=on_one_python(ARCHITECTURES, "transformer"))
def tiny(request):
    return tiny_model(**ARCHITECTURES[request.param])


# --- predictions ------------------------------------------------------------------------------------------


def test_predictions_are_those_of_the_evaluation(loaded, evaluated):
    found = list(loaded.predict(line["source"] for line in evaluated))
    assert [prediction.text for prediction in found] == [line["predicted"] for line in evaluated]
    assert all(prediction.tokens == tuple(prediction.text) for prediction in found)
    assert all(prediction.score < 0 and prediction.alternatives == () for prediction in found)


@pytest.mark.parametrize("n_best", on_one_python([1, 3], 3))
def test_the_command_writes_the_same_objects(loaded, trained_job, tmp_path, capfdbinary, n_best):
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", "utf-8")
    given = ["predict", trained_job.paths.directory, "--input", tmp_path / "in.txt"]
    given += ["--n-best", n_best] if n_best > 1 else []
    assert run_in_process(*given, "--format", "json") == 0
    objects = [json.loads(line) for line in capfdbinary.readouterr().out.decode().splitlines()]
    assert run_in_process(*given) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    found = list(loaded.predict(LINES, n_best=n_best))
    assert objects == [prediction.to_json() for prediction in found]
    if n_best == 1:
        assert lines == [prediction.text for prediction in found]
        return
    assert [len(prediction.alternatives) for prediction in found] == [2, 2, 0, 2, 2]
    ranked = [[prediction, *prediction.alternatives] for prediction in found]
    assert lines == [f"{n}\t{p.score:.6f}\t{p.text}" for n, row in enumerate(ranked, 1) for p in row]


CHILD = """
import sys
import job
assert not {"numpy", "tensorflow", "keras", "pydantic"} & sys.modules.keys()
import json
from concurrent.futures import ThreadPoolExecutor
model = job.load(sys.argv[1])
lines = json.loads(sys.argv[2])
def predict(number):
    found = model.predict(iter(lines), n_best=3 if number % 2 else 1, attention=True)
    return [prediction.to_json() for prediction in found]
with ThreadPoolExecutor(4) as threads:
    print(json.dumps([*threads.map(predict, range(8))]))
"""


def test_several_threads_of_a_new_process_get_the_same_bits_and_nothing_on_stderr(
    loaded, trained_job, tmp_path
):
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    for name in ("TF_CPP_MIN_LOG_LEVEL", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        variables.pop(name, None)
    arguments = [sys.executable, "-c", CHILD, str(trained_job.paths.directory), json.dumps(LINES)]
    done = subprocess.run(arguments, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    expected = [[p.to_json() for p in loaded.predict(LINES, n, attention=True)] for n in (1, 3)]
    assert found == expected * 4


def test_sources_are_read_as_predictions_are_taken(loaded, monkeypatch):
    monkeypatch.setattr(token_lines, "MAX_SOURCES", 2)
    read = []

    def lines():
        for line in LINES:
            read.append(line)
            yield line

    predictions = loaded.predict(lines())
    assert read == []
    first = next(predictions)
    assert read == LINES[:2]
    assert [first.text, *(p.text for p in predictions)] == [p.text for p in loaded.predict(LINES)]


def test_a_list_of_tokens_is_read_as_its_line(loaded):
    tokens = [loaded.source_tokens(line) for line in LINES]
    assert tokens[0] == ("1", "+", "2")
    assert list(loaded.predict(tokens, 2)) == list(loaded.predict(LINES, 2))


def test_an_empty_source_has_an_empty_target(loaded):
    (found,) = loaded.predict([""], attention=True)
    assert (found.text, found.tokens, found.score, found.attention.shape) == ("", (), 0.0, (0, 0))


# --- scores -----------------------------------------------------------------------------------------------


LIMIT = 3
"""Number of symbols at which the search of a tiny model stops."""


def log_probability(tiny, source, target):
    """Return log P(target | source) by the training model, with the end of a target that is not cut."""
    ids = [*SUMS.encode(target), *([SUMS.end] if len(target) != LIMIT else [])]
    logs = tiny.log_probabilities(np.array([SUMS.encode(source)]), np.array([ids]))
    return logs[0, np.arange(len(ids)), ids].sum()


def test_the_score_of_any_target_is_its_log_probability_by_the_training_model(tiny):
    pairs = [("1+2", "3"), ("34", ""), ("5+6+7", "18"), ("88", "8+8+8")]
    expected = [log_probability(tiny, *pair) for pair in pairs]
    model = python_of(tiny.trained)
    assert list(model.scores(iter(pairs))) == pytest.approx(expected, abs=2e-5)
    assert model.score(*pairs[2]) == pytest.approx(expected[2], abs=2e-5)


@pytest.mark.once
@pytest.mark.parametrize("search", [{}, {"decoder": "sample", "sample_seed": 5}])
def test_the_score_of_a_prediction_is_that_of_its_target(tiny, search):
    model = python_of(searching(tiny.trained, **search))
    sources = ["1+2", "34", "5+6+7", "8"]
    found = list(model.predict(sources))
    for source, prediction in zip(sources, found, strict=True):
        assert model.score(source, prediction.tokens) == pytest.approx(prediction.score, abs=TOLERANCE)
    assert [p.text for p in found] == [*token_lines.predict(model._saved, map(SUMS.encode, sources))]


def test_scores_of_beam_search_are_divided_by_the_length_penalty(tiny):
    model = python_of(searching(tiny.trained, length_penalty=1.0))
    (found,) = model.predict(["1+2"], n_best=4)
    for target in (found, *found.alternatives):
        length = min(LIMIT, len(target.tokens) + 1)
        score = log_probability(tiny, "1+2", target.text) * 6 / (5 + length)
        assert target.score == pytest.approx(score, abs=2e-5)


def test_an_ensemble_predicts_and_scores_together():
    members = [tiny_model(), tiny_model(bias=2.0)]
    saved = [SavedTokenModel(m.trained.encoder, m.trained.decoder, m.trained.facts) for m in members]
    together = combine(dict(zip("ab", saved, strict=True)))
    model = python_model(together)
    found = [*model.predict(["1+2", "34"])]
    assert [p.text for p in found] == [*together.predict_lines(["1+2", "34"], "in")]
    assert model.score("34", found[1].tokens) == pytest.approx(found[1].score, abs=TOLERANCE)
    with pytest.raises(InputError, match="an ensemble has no context of its own"):
        list(model.encode(["34"]))


# --- attention and encodings ------------------------------------------------------------------------------


def test_attention_has_a_row_for_each_token_of_the_target(loaded, model):
    sources = ["1+2", "", "9+9+9+9"]
    for source, found in zip(sources, loaded.predict(sources, attention=True), strict=True):
        if source:
            assert found.attention.dtype == np.float32
            assert found.attention.shape == (len(found.tokens), len(source))
            ids = np.array([SUMS.encode(source)], np.int32)
            expected = model.attention(ids, np.array([SUMS.encode(found.text)], np.int32))
            np.testing.assert_allclose(found.attention, expected[0], atol=1e-6)
            np.testing.assert_allclose(found.attention.sum(axis=1), 1, atol=1e-6)


def test_encodings_are_those_of_the_command(loaded, trained_job, tmp_path):
    (tmp_path / "in.txt").write_text("\n".join(LINES) + "\n", "utf-8")
    output = tmp_path / "contexts.npz"
    arguments = ["--input", tmp_path / "in.txt", "--output", output]
    assert run_in_process("encode", trained_job.paths.directory, *arguments) == 0
    with np.load(output) as archive:
        written = dict(archive)
    found = list(loaded.encode(LINES))
    assert found[2].states == {}
    assert found[2].outputs is None
    given = [encoding for encoding in found if encoding.states]
    for name in ("h1", "c1"):
        np.testing.assert_array_equal(np.stack([e.states[name] for e in given]), written[name])
    assert [e.outputs.shape for e in given] == [(3, 16)] * 4


def test_a_transformer_has_one_context_and_no_outputs():
    (found,) = python_of(tiny_model(**ARCHITECTURES["transformer"]).trained).encode(["1+2"])
    assert {name: (x.shape, x.dtype) for name, x in found.states.items()} == {"context": ((4,), np.float32)}
    assert found.outputs is None


# --- vocabularies of other kinds --------------------------------------------------------------------------


def random_model(source, target):
    spec = ModelSpec(units=4, inputs="embedding", embedding_size=3, attention="luong_dot")
    models = build_models(spec, len(source), len(target), masked=True)
    logits = models.train.get_layer("logits")
    logits.bias.assign(logits.bias - 9.0 * np.isin(np.arange(len(target)), [target.end]))
    facts = ModelFacts(source, target, fixed_length=False, source_length=None, max_target_length=6)
    return TokenModel(SavedTokenModel(models.inference_encoder, models.inference_decoder, facts))


def test_subwords_are_the_tokens_of_their_model():
    texts = ["the cat sat on the mat", "the dog sat on the log", "a cat and a dog"] * 4
    side = Vocabulary.of_subwords(Subwords.learn(texts, SubwordSpec(size=30)))
    model = random_model(side, side)
    tokens = model.source_tokens("the cat")
    assert "".join(tokens).replace("\u2581", " ").strip() == "the cat"
    (by_line, by_tokens) = model.predict(["the cat", tokens])
    assert by_line == by_tokens
    assert set(by_line.tokens) <= {*side.tokens}
    with pytest.raises(InputError, match=r"sources:1: 'the' is not a subword that begins a text"):
        list(model.predict([["the", "cat"]]))
    for source in ("the cat", "a dog", "on the log"):  # whatever tokens a prediction begins with
        (found,) = model.predict([source])
        assert model.score(source, found.tokens) == pytest.approx(found.score, abs=TOLERANCE)
    assert model.score("the cat", ["t", *tokens]) < 0


def test_the_scores_of_many_pairs_do_not_depend_on_the_longest_target(loaded, monkeypatch):
    pairs = [("1+2", "3"), ("9+9", "18"), ("3+4", "7777777777"), ("0+7", "7")] * 3
    together = list(loaded.scores(iter(pairs)))
    assert together == pytest.approx([loaded.score(*pair) for pair in pairs], abs=TOLERANCE)


def test_what_is_left_of_a_chunk_ends_without_a_word(tmp_path, trained_job):
    """The interpreter closes a generator that nothing resumes after its modules are gone."""
    script = (
        "import sys, job; found = job.load(sys.argv[1]).predict(('1+2' for _ in range(700)), n_best=100);"
        "print(len(next(found).alternatives))"
    )
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    command = [sys.executable, "-c", script, str(trained_job.paths.directory)]
    done = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "99\n", "")


def test_features_follow_a_tab():
    source = Vocabulary.learn([*"abc", "\tN", "\tPL"], "", features=";")
    model = random_model(source, Vocabulary.learn("abc", ""))
    assert model.source_tokens("ab\tN;PL") == ("a", "b", "\tN", "\tPL")
    by_line, by_tokens, plain = model.predict(["ab\tN;PL", ["a", "b", "\tN", "\tPL"], "ab"], attention=True)
    assert by_line == by_tokens
    assert plain.attention.shape[1] == 2
    assert by_line.attention.shape[1] == 4


# --- numbers ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def series():
    return random_forecaster()


def random_forecaster():
    spec = ModelSpec(units=4, inputs="embedding")
    models = build_models(spec, 2, 1, masked=False, numbers=True)
    series = Series(
        columns=("y", "a"), unit="", source_length=3, target_length=2, logarithm=False, differencing=0,
        centers=(1.0, 0.0), scales=(2.0, 1.0), decimals=3,
    )  # fmt: skip
    return NumberModel(SavedForecaster(models.inference_encoder, models.inference_decoder, series))


def test_numbers_in_numbers_out(series):
    rows = [[1.5, 0.0], [2.5, 1.0], [3.5, 0.0]]
    flat = [x for row in rows for x in row]
    line = " ".join(map(str, flat))
    found = list(series.predict([line, rows, flat, np.array(rows), ""]))
    assert found[0].values.shape == (2,)
    assert found[0].values.dtype == np.float64
    assert found[0].text == " ".join(str(round(x, 3)) for x in found[0].values)
    assert found[0].text == next(iter(series._saved.predict_lines([line], "in")))
    for other in found[1:4]:
        assert other.text == found[0].text
        np.testing.assert_array_equal(other.values, found[0].values)
    assert found[0].to_json() == {"text": found[0].text, "values": found[0].values.tolist()}
    assert found[4].to_json() == {"text": "", "values": []}
    first, empty = series.encode([rows, ""])
    np.testing.assert_array_equal(first.states["h1"], series._saved.contexts(np.array([rows]))["h1"][0])
    assert empty.states == {}


def test_an_ensemble_of_series_forecasts_the_mean():
    members = [random_forecaster() for _ in range(2)]
    together = combine({name: member._saved for name, member in zip("ab", members, strict=True)})
    model, lines = python_model(together), ["1.5 0 2.5 1 3.5 0", "", "0 0 1 1 2 0"]
    found = list(model.predict(lines))
    assert [prediction.text for prediction in found] == [*together.predict_lines(lines, "in")]
    one, other = ([p.values for p in member.predict(lines)] for member in members)
    assert not np.array_equal(one[0], other[0])
    for prediction, *alone in zip(found, one, other, strict=True):
        np.testing.assert_array_equal(prediction.values, np.mean(alone, axis=0))
    with pytest.raises(InputError, match="an ensemble has no context of its own"):
        list(model.encode(lines))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ([1, 2], "sources:1: 2 numbers, but this model reads exactly 6 (3 rows of y, a)"),
        ([[1, 2]], "sources:1: an array of shape (1, 2), but this model reads (3, 2)"),
        ([1, 2, 3, 4, 5, math.nan], "sources:1: nan is not a number that the model can read"),
        ([1, 2, 3, 4, 5, 1e200], "sources:1: 1e+200 is too large"),
        (["x"] * 6, "sources:1: expected numbers or a line of text"),
        (object(), "sources:1: expected numbers or a line of text"),
    ],
)
def test_what_is_no_source_of_numbers_is_named(series, source, message):
    with pytest.raises(InputError) as raised:
        list(series.predict([source]))
    assert str(raised.value).startswith(message)


def test_numbers_have_no_scores_alternatives_and_tokens(series):
    for ask in (
        lambda: series.predict(["1 2"], n_best=2),
        lambda: series.predict(["1 2"], attention=True),
        lambda: series.score("1", "2"),
        lambda: series.source_tokens("1 2"),
    ):
        with pytest.raises(InputError, match="model of numbers"):
            ask()


# --- errors -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "options", "message"),
    [
        ("1+2", {}, "sources is str; expected an iterable of sources"),
        (5, {}, "sources is int; expected an iterable of sources"),
        (["1+2"], {"n_best": 0}, "n_best is 0; expected a whole number from 1 to 100"),
        (["1+2"], {"n_best": 101}, "n_best is 101; expected a whole number"),
        (["1+2"], {"n_best": 2.0}, "n_best is 2.0; expected a whole number"),
        (["1+2", "x"], {}, "sources:2: token 'x' is not one the model knows"),
        ([3], {}, "sources:1: expected a line of text or a list of tokens, found int"),
        ([["1", 2]], {}, "sources:1: expected tokens that are strings, found 2, which is int"),
        ([b"1+2"], {}, "sources:1: expected a line of text or a list of tokens, found bytes"),
    ],
)
def test_what_cannot_be_predicted_is_named(loaded, sources, options, message):
    with pytest.raises(InputError) as raised:
        list(loaded.predict(sources, **options))
    assert str(raised.value).startswith(message)


def test_the_sources_before_an_invalid_one_are_predicted(loaded):
    predictions = loaded.predict(["1+2", "9+9", "?"])
    assert [next(predictions), next(predictions)] == [*loaded.predict(["1+2", "9+9"])]
    with pytest.raises(InputError, match="sources:3: token '\\?'"):
        next(predictions)


def test_a_model_without_attention_and_targets_without_probability_are_errors(loaded):
    plain = python_of(tiny_model().trained)
    with pytest.raises(InputError, match="attention: this model has none"):
        plain.predict(["1+2"], attention=True)
    with pytest.raises(InputError, match="pairs:1: the source is empty"):
        loaded.score("", "3")
    with pytest.raises(InputError, match="pairs:2: token 'x' is not one the model knows"):
        list(loaded.scores([("1+2", "3"), ("1+2", "x")]))


def test_targets_of_another_length_than_the_model_writes_are_errors():
    facts = ModelFacts(SUMS, replace(SUMS, end=None), True, 3, 2)
    model = python_of(tiny_model().trained, facts)
    with pytest.raises(InputError, match="the target has 3 tokens, but this model writes exactly 2"):
        model.score("1+2", "123")


def test_directories_without_a_model_are_errors(tmp_path):
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "spec.yaml").write_text("name: begun\n", "utf-8")
    (tmp_path / "empty").mkdir()
    for name, message in {
        "gone": "gone: no such directory; expected the directory of a finished job",
        "begun": "begun: the job has no trained model yet; run the batch until the job is finished",
        "empty": "empty: not a trained model",
    }.items():
        with pytest.raises(ModelDirectoryError, match=message):
            job.load(str(tmp_path / name))
    with pytest.raises(ModelDirectoryError, match="is an address"):
        job.load("http://host/job")
    with pytest.raises(ModelDirectoryError, match="'s3://bucket/job' is no job in a store"):
        job.load("s3://bucket/job")


@pytest.mark.parametrize("damaged", ["vocabulary.json", "inference_encoder.keras"])
def test_errors_of_a_model_in_a_store_name_its_url(trained_job, tmp_path, damaged):
    """The user knows no copy; a job with `spec.yaml` and without a model is one of the errors."""
    output = prepare_output(tmp_path / "output")
    shutil.copytree(trained_job.paths.directory, output.job("sums").directory)
    (output.job("sums").model / damaged).write_bytes(b"[")
    url = f"memory://{damaged}/jobs/sums"
    assert Mirror(output, connect_store(parse_store(f"memory://{damaged}")), {}).sync() == {}
    with pytest.raises(ModelDirectoryError, match=rf"^{url}") as raised:
        job.load(url)
    assert tempfile.gettempdir() not in str(raised.value)


def test_what_the_package_offers():
    assert job.Prediction(text="a").score != job.Prediction(text="a", score=1.0).score
    assert {"load", "Model", "Prediction"} <= {*dir(job)}
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        job.lode  # noqa: B018


def test_the_documented_code_runs(trained_job, tmp_path, monkeypatch, capsys):
    page = (Path(__file__).parents[3] / "docs" / "python.md").read_text("utf-8")
    shutil.copytree(trained_job.paths.directory, tmp_path / "output" / "jobs" / "addition")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    for block in blocks:
        exec(block, names)
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 8
    assert printed[3] == "True"
    assert names["best"].alternatives
