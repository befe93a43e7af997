"""Model directories that somebody damaged or made up: a sentence, and nothing of theirs runs."""

import json
import os
import shutil
import zipfile

import keras
import pytest
from offered import install

from job.errors import ModelDirectoryError
from job.inference.loading import load
from job.inference.model_files import check_model_file

ENCODER, DECODER, VOCABULARY = "inference_encoder.keras", "inference_decoder.keras", "vocabulary.json"


@pytest.fixture
def directory(trained_job, tmp_path):
    """A copy of a model directory, without the result that would tell of any change."""
    return shutil.copytree(trained_job.paths.model, tmp_path / "model")


def rewrite(path, change=lambda name, content: content, compression=zipfile.ZIP_STORED, extra=()):
    """Write a model file anew with other content."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in parts.items():
            archive.writestr(name, change(name, content))
        for name, content in extra:
            archive.writestr(name, content)


def with_layer(layer):
    """Return a change that adds a layer to a config."""

    def change(name, content):
        if name != "config.json":
            return content
        config = json.loads(content)
        config["config"]["layers"].append({**layer, "inbound_nodes": []})
        return json.dumps(config).encode()

    return change


def refusal(directory):
    with pytest.raises(ModelDirectoryError) as refused:
        load(directory)
    assert refused.value.exit_code == 2
    assert len(str(refused.value).splitlines()) == 1
    return str(refused.value)


def test_a_whole_copy_is_loaded(directory):
    assert list(load(directory).predict_lines(["1+2"], "in.txt", None))


@pytest.mark.parametrize(
    "layer",
    [
        {"module": "keras.layers", "class_name": "Lambda", "registered_name": None},
        {"module": "keras.src.layers.core.lambda_layer", "class_name": "Lambda", "registered_name": "Lambda"},
        {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None},
        {"module": "os", "class_name": "system", "registered_name": None},
        {"module": "builtins", "class_name": "function", "registered_name": "function"},
        {"module": "keras.utils", "class_name": "get_file", "registered_name": None},
        {"module": "keras.models", "class_name": "function", "registered_name": "function"},
        {"module": "job.storage.artifacts", "class_name": "write_text", "registered_name": None},
        {"module": "somewhere", "class_name": "Layer", "registered_name": "elsewhere>Layer"},
        {"class_name": "__lambda__"},
    ],
)
@pytest.mark.parametrize("file", [ENCODER, DECODER])
def test_what_could_run_code_of_a_file_is_not_built(directory, tmp_path, layer, file):
    layer = {**layer, "config": {"name": "x", "function": f"touch {tmp_path / 'ran'}"}}
    rewrite(directory / file, with_layer(layer))
    assert f"{file} holds a {layer['class_name']}, which is not allowed in a model file" in refusal(directory)
    assert not (tmp_path / "ran").exists()


def test_a_lambda_layer_that_keras_saved_is_refused(directory):
    model = keras.Sequential([keras.Input([1]), keras.layers.Lambda(lambda x: x)])
    model.save(directory / ENCODER)
    assert "holds a Lambda" in refusal(directory)


@pytest.mark.parametrize("file", [ENCODER, DECODER, VOCABULARY])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_file_that_is_cut_is_refused(directory, file, share):
    path = directory / file
    os.truncate(path, int(share * path.stat().st_size))
    assert "not a trained model" in refusal(directory)


@pytest.mark.parametrize("file", [ENCODER, DECODER, VOCABULARY])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("/dev/zero", path)])
def test_what_is_no_regular_file_is_refused(directory, file, make):
    (directory / file).unlink()
    make(directory / file)
    assert "not a trained model" in refusal(directory)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_part_that_unpacks_to_far_more_is_refused(directory, name):
    def change(part, content):
        return bytes(1 << 26) if part == name else content

    rewrite(directory / ENCODER, change, zipfile.ZIP_DEFLATED)
    assert f"{name} unpacks to 67,108,864 bytes, which is too many" in refusal(directory)


@pytest.mark.parametrize("config", ["[" * 200_000, "{}", "[]", "null", '{"class_name": 1}', "NaN"])
def test_a_config_that_is_none_is_refused(directory, config):
    rewrite(directory / ENCODER, lambda name, content: config if name == "config.json" else content)
    assert "not a trained model" in refusal(directory)


def test_a_part_that_is_not_known_is_refused(directory):
    rewrite(directory / ENCODER, extra=[("assets/../../x", b"x")])
    assert "expected config.json, metadata.json, model.weights.h5" in refusal(directory)


def test_weights_that_are_none_are_refused(directory):
    rewrite(directory / DECODER, lambda name, content: b"x" if name.endswith(".h5") else content)
    assert "not a trained model" in refusal(directory)


def test_models_that_do_not_belong_together_are_refused(directory):
    shutil.copy(directory / ENCODER, directory / DECODER)
    assert "not a trained model" in refusal(directory)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"max_target_length": 10**9}, "lengths must be whole numbers"),
        ({"max_target_length": "4"}, "lengths must be whole numbers"),
        ({"max_target_length": True}, "lengths must be whole numbers"),
        ({"fixed_length": 1}, "fixed_length must be"),
        ({"search": {"beam_width": 10**6}}, "beam_width"),
        ({"search": []}, "dictionary"),
        ({"source": None}, "not a vocabulary"),
        ({"target": {"tokens": "ab", "separator": ""}}, "do not belong to the same model"),
        ({"target_kind": "colours"}, "this version cannot load a model of 'colours'"),
        ({"target_kind": "numbers"}, "series"),
        ({"extra": 1}, "extra"),
    ],
)
def test_a_vocabulary_file_that_is_wrong_is_refused(directory, change, said):
    record = json.loads((directory / VOCABULARY).read_text("utf-8"))
    (directory / VOCABULARY).write_text(json.dumps({**record, **change}))
    assert said in refusal(directory)


@pytest.mark.parametrize(
    "text", ["", "[]", "[" * 200_000, "1", '{"a": 1, "a": 1}', '{"a": NaN}', '"\\ud800"']
)
def test_a_vocabulary_file_that_holds_no_object_is_refused(directory, text):
    (directory / VOCABULARY).write_text(text)
    refusal(directory)


def test_every_model_that_is_saved_is_one_that_is_loaded(trained_job):
    for path in trained_job.paths.model.glob("*.keras"):
        check_model_file(path)


OFFERED = """
import keras

@keras.saving.register_keras_serializable(package="offered-layers")
def function(x):
    return x
"""


@pytest.mark.parametrize(
    ("registered", "code", "message"),
    [
        (
            "offered-layers>Layer",
            OFFERED,
            "needs the layer offered-layers>Layer, which {0} does not register",
        ),
        ("offered-layers>function", OFFERED, "needs the layer offered-layers>function, which {0} does not"),
        (
            "failing-layers>Layer",
            "import no_such_module",
            "needs the layers of {0}, which cannot be imported (ModuleNotFoundError: No module named",
        ),
        (
            "other>Layer",
            OFFERED,
            "unless an installed package offers the layers of 'other' (entry point group",
        ),
    ],
)
def test_layers_come_only_from_packages_that_offer_them(
    directory, tmp_path, monkeypatch, registered, code, message
):
    package = registered.partition(">")[0].replace("-", "_")
    install(tmp_path / "site", package, code, layers=package.replace("_", "-") if package != "other" else "x")
    monkeypatch.syspath_prepend(tmp_path / "site")
    layer = {"module": "os", "class_name": "Layer", "registered_name": registered, "config": {"name": "x"}}
    rewrite(directory / ENCODER, with_layer(layer))
    assert message.format(f"{package} 1.0") in refusal(directory)
