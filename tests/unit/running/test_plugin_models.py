"""Jobs with a model of another package: what is checked when it is built, and that it decodes."""

import re
from pathlib import Path

import numpy as np
import pytest
from offered import MODEL_CODE, install

from job.errors import DataErrors, TrainingError
from job.problems import build_problem
from job.running.model_cache import ModelCache
from job.spec.schema import JobSpec

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def offer(tmp_path, monkeypatch):
    """Install packages of one module that offer a model, each with a name of its own: imports are cached."""
    monkeypatch.syspath_prepend(tmp_path)

    def install_here(name, code, group="models"):
        install(tmp_path, f"offered_{name}", code, name=name, group=group)

    return install_here


COPY = {"kind": "copy", "source_length": 3, "cardinality": 9}
SERIES = {"kind": "time_series", "file": "shampoo.csv", "column": "sales", "source_length": 3}


def prepared(name, problem=COPY, **evaluation):
    job = JobSpec.model_validate(
        {
            "name": "a",
            "problem": problem,
            "model": {"architecture": "plugin", "name": name},
            "evaluation": evaluation,
        }
    )
    return ModelCache().prepare(build_problem(job.problem, 7, EXAMPLES), job, "keras")


def test_a_model_without_states_and_attention_decodes(offer):
    offer("stateless", MODEL_CODE)
    model = prepared("stateless").inference.trained
    assert not model.attends
    sources = np.array([[3, 4, 5], [5, 4, 3], [3, 4, 5]], np.int32)
    found = model.decode(sources)
    assert found.shape == (3, 3)
    assert np.array_equal(found[0], found[2])
    scored = dict(zip([0, 1, 2], model.forced_scores(sources, found), strict=True))
    assert scored[0] == scored[2] < 0


def test_a_model_of_numbers_forecasts(offer):
    code = MODEL_CODE.replace("Embedding(sizes.source, ", "Dense(").replace(
        "Embedding(sizes.target, ", "Dense("
    )
    offer("numeric", code)
    compiled = prepared("numeric", {**SERIES, "target_length": 2, "test": 4})
    forecaster = compiled.inference.trained
    history = np.array([[100.0, 200.0, 300.0], [300.0, 200.0, 100.0], [200.0, 200.0, 200.0]])[..., None]
    forecast = forecaster.forecast(history)
    assert forecast.shape == (3, 2)
    source = forecaster.series.sources(history)
    given = np.concatenate([source[:, -1:, :1], np.zeros((3, 1, 1), np.float32)], axis=1)
    first = compiled.models.train([source, given])[:, :1, 0]  # of the first step, whose input is known
    expected = forecaster.series.forecasts(history, np.repeat(first, 2, axis=1))[:, 0]
    assert forecast[:, 0] == pytest.approx(expected, rel=1e-5)


def test_the_coverage_penalty_needs_attention_weights(offer):
    offer("inattentive", MODEL_CODE)
    with pytest.raises(TrainingError, match="needs attention weights, but 'inattentive' returns none"):
        prepared("inattentive", decoder="beam", coverage_penalty=0.2)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("wide", ("sizes.source, sizes.target,", "sizes.source, 3,"), "has a bug: ValueError: "),
        ("lacking", ("def step", "def other"), "has a bug: the result of build lacks step"),
        ("raising", ("return Network(sizes)", "return sizes.nothing"), "has a bug: AttributeError: "),
    ],
)
def test_bugs_are_one_sentence_with_the_package(offer, name, change, message):
    assert MODEL_CODE.count(change[0]) == 1
    offer(name, MODEL_CODE.replace(*change))
    with pytest.raises(DataErrors) as caught:
        prepared(name)
    (error,) = caught.value.errors
    start = f"model '{name}' (offered_{name}:build of offered_{name} 1.0) "
    assert error.message.startswith(start + message)
    assert len(error.message.splitlines()) == 1
    assert error.key == "name"
    if "Error: " in message:
        assert re.search(rf"offered_{name}\.py:\d+\)$", error.message)
