import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import pytest

import job
from job.process.tensorflow_loading import check_tensorflow

SETTINGS = """
from job.process.installed_versions import check_versions
from job.process.tensorflow_loading import check_tensorflow
check_versions()
check_tensorflow()
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


def test_what_is_installed_here_works():
    check_tensorflow()


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
def test_a_broken_keras_is_refused_with_what_to_do(refusal, versions, monkeypatch, lstm, found):
    monkeypatch.setattr(keras.layers, "LSTM", lstm)
    sentence = refusal(check_tensorflow)
    assert sentence.startswith(f"TensorFlow 2.21.0 with Keras 3.15.1 does not work here {found}")
    assert sentence.endswith("reinstall them: pip install --force-reinstall tensorflow keras")


def test_only_the_first_line_of_a_long_message_is_shown(refusal, versions, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("\nfirst line\nsecond line")

    monkeypatch.setattr(keras.layers, "LSTM", fail)
    assert "(RuntimeError: first line);" in refusal(check_tensorflow)


def test_a_package_that_does_not_import_is_refused(refusal, versions, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert "does not work here (ModuleNotFoundError: " in refusal(check_tensorflow)


@pytest.mark.parametrize("states", [(), (1,), (1, 2, 3)])
def test_states_in_another_form_are_refused(refusal, versions, monkeypatch, states):
    output = SimpleNamespace(shape=(1, 1))
    monkeypatch.setattr(keras.layers, "LSTM", lambda *_, **__: lambda _: [output, *states])
    assert refusal(check_tensorflow) == ("Keras 3.15.1 gives LSTM states in a form that is not understood")
