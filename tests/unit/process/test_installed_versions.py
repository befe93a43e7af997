import re
from importlib import metadata
from pathlib import Path

import pytest

from job.process.installed_versions import REQUIRED, check_versions, installed


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
    check_versions()


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
def test_a_missing_or_old_package_is_refused_with_what_to_do(refusal, versions, given, sentence):
    versions(**given)
    assert refusal(check_versions) == sentence


@pytest.mark.parametrize("version", ["3.13.0", "3.13.2", "3.14.1", "3.15.0"])
def test_a_keras_that_a_hostile_model_file_can_abuse_is_refused(refusal, versions, version):
    versions(keras=version)
    assert refusal(check_versions) == (
        f"keras {version} may run code of a hostile model file, 3.15.1 does not; "
        'run: pip install --upgrade "keras>=3.15.1"'
    )


@pytest.mark.parametrize("backend", ["jax", "torch", ""])
def test_another_backend_is_refused(refusal, versions, monkeypatch, backend):
    monkeypatch.setenv("KERAS_BACKEND", backend)
    sentence = f"KERAS_BACKEND is {backend!r}; unset it or set it to tensorflow"
    assert refusal(check_versions) == sentence


def test_the_backend_may_be_named(versions, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    check_versions()


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
def test_a_settings_file_that_keras_does_not_load_with_is_named(refusal, keras_file, content, sentence):
    keras_file.write_text(content)
    refused = refusal(check_versions)
    assert refused.startswith(f"{keras_file}: {sentence}")
    assert refused.endswith("; correct it or remove the file")


def test_a_settings_file_that_cannot_be_read_is_named(refusal, keras_file):
    keras_file.mkdir()
    assert refusal(check_versions).startswith(f"{keras_file}: cannot be read (Is a directory)")


@pytest.mark.parametrize("content", ["{", "", '{"floatx": "float16", "backend": "jax"}'])
def test_other_settings_files_make_no_difference(keras_file, content):
    keras_file.write_text(content)
    check_versions()


def test_the_oldest_versions_are_those_that_the_package_asks_for():
    project = (Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8")
    for name, oldest in REQUIRED.items():
        assert re.search(rf'"{name}>={re.escape(".".join(map(str, oldest)))}["!,]', project)


def test_installed_finds_any_build_of_tensorflow(monkeypatch):
    def only_the_cpu_build(name):
        if name != "tensorflow-cpu":
            raise metadata.PackageNotFoundError(name)
        return "2.20.1"

    monkeypatch.setattr(metadata, "version", only_the_cpu_build)
    assert installed("tensorflow") == "2.20.1"
    assert installed("keras") is None
