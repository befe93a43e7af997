import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

import job
from job.errors import DependencyError
from job.process import environment

NEW = {"tensorflow": "2.21.0", "keras": "3.15.1"}


@pytest.fixture
def versions(monkeypatch):
    """Let packages be installed in given versions."""

    def install(**given):
        monkeypatch.setattr(environment, "installed", {**NEW, **given}.get)

    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    install()
    return install


def refusal(check):
    with pytest.raises(DependencyError) as caught:
        check()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- versions -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"tensorflow": "2.20.0"},
        {"keras": "3.12.4"},
        {"keras": "3.15.1"},
        {"keras": "4.0"},
        {"tensorflow": "3.0"},
        {"tensorflow": "2.21.0rc1"},
    ],
)
def test_versions_that_are_new_enough_pass(versions, given):
    versions(**given)
    environment.check_versions()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"tensorflow": None}, 'tensorflow is not installed; run: pip install --upgrade "tensorflow>=2.20"'),
        ({"keras": None}, 'keras is not installed; run: pip install --upgrade "keras>=3.12.4"'),
        (
            {"tensorflow": "2.19.1"},
            "tensorflow 2.19.1 is too old, 2.20 is the oldest that works; "
            'run: pip install --upgrade "tensorflow>=2.20"',
        ),
        (
            {"tensorflow": "2.9.0"},  # as text it would be newer
            "tensorflow 2.9.0 is too old, 2.20 is the oldest that works; "
            'run: pip install --upgrade "tensorflow>=2.20"',
        ),
        (
            {"keras": "2.15.0"},
            "keras 2.15.0 is too old, 3.12.4 is the oldest that works; "
            'run: pip install --upgrade "keras>=3.12.4"',
        ),
        (
            {"keras": "3.9.2"},
            "keras 3.9.2 is too old, 3.12.4 is the oldest that works; "
            'run: pip install --upgrade "keras>=3.12.4"',
        ),
    ],
)
def test_a_missing_or_old_package_is_refused_with_what_to_do(versions, given, sentence):
    versions(**given)
    assert refusal(environment.check_versions) == sentence


@pytest.mark.parametrize("version", ["3.13.0", "3.13.2", "3.14.1", "3.15.0"])
def test_a_keras_that_a_hostile_model_file_can_abuse_is_refused(versions, version):
    versions(keras=version)
    assert refusal(environment.check_versions) == (
        f"keras {version} may run code of a hostile model file, 3.15.1 does not; "
        'run: pip install --upgrade "keras>=3.15.1"'
    )


@pytest.mark.parametrize("backend", ["jax", "torch", ""])
def test_another_backend_is_refused(versions, monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    sentence = f"KERAS_BACKEND is {backend!r}; unset it or set it to tensorflow"
    assert refusal(environment.check_versions) == sentence


def test_the_backend_may_be_named(versions, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    environment.check_versions()


@pytest.fixture
def keras_file(versions, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    return tmp_path / "keras.json"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"floatx": "float8"}', "floatx is 'float8'; expected float32 or float16 or float64"),
        ('{"floatx": []}', "floatx is []; expected float32"),
        ('{"image_data_format": 1}', "image_data_format is 1; expected channels_last or channels_first"),
        ('{"epsilon": 1}', "epsilon is 1; expected a number such as 1e-7"),
        ("[]", "expected a JSON object"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_a_settings_file_that_keras_does_not_load_with_is_named(keras_file, content, sentence):
    keras_file.write_text(content)
    refused = refusal(environment.check_versions)
    assert refused.startswith(f"{keras_file}: {sentence}")
    assert refused.endswith("; correct it or remove the file")


def test_a_settings_file_that_cannot_be_read_is_named(keras_file):
    keras_file.mkdir()
    assert refusal(environment.check_versions).startswith(f"{keras_file}: cannot be read (Is a directory)")


@pytest.mark.parametrize("content", ["{", "", '{"floatx": "float16", "backend": "jax"}'])
def test_other_settings_files_make_no_difference(keras_file, content):
    keras_file.write_text(content)
    environment.check_versions()


SETTINGS = """
from job.process import environment
environment.check_versions()
environment.check_works()
import keras
layer = keras.layers.Dense(1)
layer.build((1, 1))
print(keras.config.backend(), keras.config.floatx(), keras.config.epsilon(), layer.kernel.dtype)
print(keras.config.image_data_format(), keras.config.dtype_policy().name, keras.config.max_epochs())
"""


def test_what_keras_computes_depends_on_no_file_and_no_variable(tmp_path):
    """With another backend, float type, epsilon and format in the file, and more in variables."""
    (tmp_path / "keras.json").write_text(
        '{"backend": "jax", "floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first"}'
    )
    given = {"KERAS_HOME": str(tmp_path), "KERAS_MAX_EPOCHS": "x", "TF_USE_LEGACY_KERAS": "1"}
    variables = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = subprocess.run(
        [sys.executable, "-c", SETTINGS],
        env={**variables, "PYTHONPATH": str(Path(job.__file__).parents[1]), **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [
        *("tensorflow", "float32", "1e-07", "float32"),
        *("channels_last", "float32", "None"),
    ]


def test_the_oldest_versions_are_those_that_the_package_asks_for():
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    for name, oldest in environment.REQUIRED.items():
        assert re.search(rf'"{name}>={re.escape(".".join(map(str, oldest)))}["!,]', project)


def test_installed_finds_any_build_of_tensorflow(monkeypatch):
    def only_the_cpu_build(name):
        if name != "tensorflow-cpu":
            raise metadata.PackageNotFoundError(name)
        return "2.20.1"

    monkeypatch.setattr(metadata, "version", only_the_cpu_build)
    assert environment.installed("tensorflow") == "2.20.1"
    assert environment.installed("keras") is None


# --- whether it works ---------------------------------------------------------------------------------------


def test_what_is_installed_here_works():
    environment.check_works()


def no_return_state(*_, **__):
    raise TypeError("Keyword argument not understood: 'return_state'")


@pytest.mark.parametrize(
    ("lstm", "found"),
    [
        (no_return_state, "(TypeError: Keyword argument not understood: 'return_state')"),
        (lambda *_, **__: 1 / 0, "(ZeroDivisionError: division by zero)"),
        (lambda *_, **__: lambda _: None, "(TypeError: "),
    ],
)
def test_a_broken_keras_is_refused_with_what_to_do(versions, monkeypatch, lstm, found):
    monkeypatch.setattr(keras.layers, "LSTM", lstm)
    sentence = refusal(environment.check_works)
    assert sentence.startswith(f"TensorFlow 2.21.0 with Keras 3.15.1 does not work here {found}")
    assert sentence.endswith("reinstall them: pip install --force-reinstall tensorflow keras")


def test_only_the_first_line_of_a_long_message_is_shown(versions, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("\nfirst line\nsecond line")

    monkeypatch.setattr(keras.layers, "LSTM", fail)
    assert "(RuntimeError: first line);" in refusal(environment.check_works)


def test_a_package_that_does_not_import_is_refused(versions, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert "does not work here (ModuleNotFoundError: " in refusal(environment.check_works)


@pytest.mark.parametrize("states", [(), (1,), (1, 2, 3)])
def test_states_in_another_form_are_refused(versions, monkeypatch, states):
    output = SimpleNamespace(shape=(1, 1))
    monkeypatch.setattr(keras.layers, "LSTM", lambda *_, **__: lambda _: [output, *states])
    assert refusal(environment.check_works) == (
        "Keras 3.15.1 gives LSTM states in a form that is not understood"
    )


# --- the record ---------------------------------------------------------------------------------------------


def test_a_result_says_what_produced_it():
    record = environment.describe(["a device"], "c0ffee", True)
    assert set(record) == {
        "versions",
        "platform",
        "processor",
        "cores",
        "devices",
        "git_commit",
        "git_dirty",
    }
    assert record["devices"] == ["a device"]
    assert (record["git_commit"], record["git_dirty"]) == ("c0ffee", True)
    assert record["versions"]["seq2seq-job"] == job.__version__
    assert record["versions"]["keras"] == keras.__version__
    assert {"python", "tensorflow", "numpy"} <= set(record["versions"])
    assert all(record["versions"].values())
