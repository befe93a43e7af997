"""One model on two devices against the same on one."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
import tensorflow as tf
from offered import install_example

import job
from job.training.replicas import strategy_for

TOLERANCE = 1e-5
"""Of weights and losses after 42 steps; float32 sums in another order differ by some 1e-7 at each."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("two_devices")
    program = Path(__file__).parents[2] / "support" / "two_devices.py"
    offered = install_example(Path(__file__).parents[3] / "examples" / "custom_model", root / "installed")
    path = os.pathsep.join([str(offered), str(Path(job.__file__).parents[1])])
    done = subprocess.run(
        [sys.executable, program, root],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return root


def history(directory):
    rows = [*csv.DictReader((directory / "history.csv").read_text().splitlines())]
    return [{k: float(v) for k, v in row.items() if v and k != "seconds"} for row in rows]


def weights(directory):
    """The weights of a saved model, whose layers may be of a package that is not installed here."""
    found = processes.weights(directory / "model" / "train.keras").values()
    return [np.frombuffer(content, kind).reshape(shape) for shape, kind, content in found]


def result(directory):
    return json.loads((directory / "result.json").read_text())


@pytest.mark.parametrize("name", ["fixed", "masked", "monotonic", "plugin"])
def test_two_devices_give_the_result_of_one(trained, name):
    one, two = trained / f"{name}-none", trained / f"{name}-mirrored"
    assert result(one)["spec"]["training"]["distribution"] == "none"
    assert result(two)["spec"]["training"]["distribution"] == "mirrored"
    assert len(history(two)) == len(history(one)) == 42
    for first, second in zip(history(one), history(two), strict=True):
        assert second == pytest.approx(first, abs=TOLERANCE)
    assert history(two)[-1]["loss"] < history(two)[0]["loss"]
    for first, second in zip(weights(one), weights(two), strict=True):
        np.testing.assert_allclose(second, first, atol=TOLERANCE)
    assert result(two)["metrics"] == pytest.approx(result(one)["metrics"], abs=0.05)
    lines = [(path / "predictions.jsonl").read_text().splitlines() for path in (one, two)]
    assert np.mean([first == second for first, second in zip(*lines, strict=True)]) > 0.9


def test_batches_of_tokens_are_divided(trained):
    one, two = history(trained / "tokens-none"), history(trained / "tokens-mirrored")
    assert [row["examples"] for row in one] == [row["examples"] for row in two]
    for first, second in zip(one, two, strict=True):
        assert second == pytest.approx(first, abs=TOLERANCE)
    assert one != two
    assert two[-1]["loss"] < two[0]["loss"]


def test_both_devices_are_used(trained):
    assert len(result(trained / "fixed-mirrored")["environment"]["devices"]) == 2
    # a sum in another order: at least one last bit differs
    first, second = (history(trained / f"masked-{each}") for each in ("none", "mirrored"))
    assert first != second


@pytest.mark.parametrize("name", ["dropped", "plugin-dropped"])
def test_a_stopped_run_with_dropout_resumes_to_the_same_result(trained, name):
    whole, again = trained / f"{name}-mirrored", trained / f"{name}-stopped"
    assert len(history(whole)) == 42
    assert history(whole)[-1]["loss"] < history(whole)[0]["loss"]
    assert 0 < result(again)["data"]["resumed_from_step"] < 21  # in the first epoch
    assert history(again) == history(whole)
    assert all(map(np.array_equal, weights(again), weights(whole)))


def test_one_device_needs_no_strategy():
    """This process has one: `mirrored` is then what `none` is, to the bit."""
    assert len(tf.config.list_logical_devices()) == 1
    for distribution in ("none", "mirrored"):
        assert strategy_for(distribution) is tf.distribute.get_strategy()
