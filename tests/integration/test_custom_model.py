"""The example of a model outside the package: built, installed and run as its user would."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from offered import install_example
from processes import checkpointed, outcome, wait_until

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_model"
DOCUMENT = (EXAMPLE.parents[1] / "docs" / "custom_models.md").read_text("utf-8")
MODEL = {"architecture": "plugin", "name": "gated_convolutions", "options": {"units": 8, "layers": 1}}
SPEC = {
    "version": 1,
    "defaults": {
        "problem": {"kind": "addition", "digits": 1},
        "model": MODEL,
        "training": {"examples": 3200, "epochs": 2, "batch_size": 16, "checkpoint_minutes": 0.001},
        "evaluation": {"examples": 60, "validation_examples": 20, "decoder": "beam", "coverage_penalty": 0.2},
    },
    "jobs": [
        {
            "name": "sums",
            "seeds": [1, 2],
            "training": {"distribution": "multi_worker"},  # alone, a cluster of one
            "evaluation": {"ensemble": True},
        },
        {
            "name": "tuned",
            "model": {"options": {"dropout": 0.1}},
            "training": {"start_from": "sums-seed-1", "examples": 320, "precision": "bfloat16"},
            "evaluation": {"decoder": "sample", "coverage_penalty": 0.0},
        },
    ],
}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the example is installed in."""
    return install_example(EXAMPLE, tmp_path_factory.mktemp("installed"))


def start(cwd, *arguments, folders):
    """Start Python where the example is installed."""
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def command(installed, tmp_path_factory):
    """Run the command, or other Python, where the example is installed; return exit code and outputs."""
    cwd = tmp_path_factory.mktemp("cwd")

    def run(*arguments, folders=(installed,), python=("-m", "job")):
        process = start(cwd, *python, *arguments, folders=folders)
        out, err = process.communicate(timeout=600)
        return process.returncode, out, err

    return run


@pytest.fixture(scope="module")
def finished(command, tmp_path_factory):
    """The output directory of `SPEC`."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "jobs.yaml").write_text(yaml.safe_dump(SPEC))
    code, _, err = command("--spec", folder / "jobs.yaml", "--output-dir", folder / "output")
    assert code == 0, err
    return folder / "output"


def rows_of(directory):
    return [json.loads(line) for line in (directory / "predictions.jsonl").read_text().splitlines()]


# --- before training ----------------------------------------------------------------------------------------


def test_validate_and_plan_of_the_example(command):
    assert command("validate", "--spec", EXAMPLE / "jobs.yaml")[:2] == (0, "1 job, OK\n")
    code, out, err = command("plan", "--spec", EXAMPLE / "jobs.yaml", "--format", "json")
    assert code == 0, err
    assert json.loads(out)["jobs"][0]["parameters"] == 128_924


def test_the_test_in_the_document_passes(command):
    (code,) = [
        block
        for block in re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.M | re.S)
        if "check_model" in block
    ]
    exit_code, _, err = command(python=("-c", f"{code}\ntest_the_model()"))
    assert exit_code == 0, err


def test_the_document_has_the_commands_and_the_entry_points_of_the_example():
    readme = (EXAMPLE / "jobs.yaml").read_text("utf-8")
    (commands,) = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT, re.M | re.S)
    assert all(f"#   {line}\n" in readme for line in commands.splitlines())
    assert all((EXAMPLE.parents[1] / word).exists() for word in commands.split() if "/" in word)
    (toml,) = re.findall(r"^```toml\n(.*?)^```$", DOCUMENT, re.M | re.S)
    assert set(toml.splitlines()) <= set((EXAMPLE / "pyproject.toml").read_text("utf-8").splitlines())


def test_without_its_package(command):
    code, _, err = command("validate", "--spec", EXAMPLE / "jobs.yaml", folders=())
    assert code == 2
    assert "jobs[0].model.name: no installed package offers a model 'gated_convolutions'" in err


SERIES = {"kind": "time_series", "column": "sales", "source_length": 3, "target_length": 1, "test": 4}


@pytest.mark.parametrize(
    ("job", "key", "message"),
    [
        (
            {"model": {**MODEL, "options": {"kernel": 4}}},
            "model.options.kernel",
            "kernel must be odd, found 4",
        ),
        (
            {"model": {**MODEL, "options": {"unit": 4}}},
            "model.options.unit",
            "unit is not an option of this model; known here: units, layers",
        ),
        (
            {"problem": {**SERIES, "file": str(EXAMPLE.parent / "shampoo.csv")}},
            "model.name",
            "this model is for tokens, but the problem forecasts numbers",
        ),
    ],
)
def test_what_the_model_refuses_is_located(command, tmp_path, job, key, message):
    spec = {
        "version": 1,
        "jobs": [{"name": "a", "problem": {"kind": "addition", "digits": 1}, "model": MODEL, **job}],
    }
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(spec))
    code, _, err = command("validate", "--spec", tmp_path / "jobs.yaml")
    assert code == 2
    assert f"jobs[0].{key}: {message}" in err
    assert "Traceback" not in err


# --- trained ------------------------------------------------------------------------------------------------


def test_results_name_the_package(finished):
    result = json.loads((finished / "jobs" / "sums-seed-1" / "result.json").read_text())
    assert result["environment"]["model"] == "gated-convolutions 1.0"
    assert result["spec"]["model"] == MODEL
    assert (finished / "jobs" / "sums-seed-1" / "attention.svg").is_file()


@pytest.mark.parametrize("place", ["jobs/sums-seed-1", "ensembles/sums", "jobs/tuned"])
def test_predict_gives_the_stored_predictions_in_a_new_process(finished, command, tmp_path, place):
    rows = rows_of(finished / place)
    assert len({row["predicted"] for row in rows}) > 1
    (tmp_path / "sources").write_text("".join(f"{row['source']}\n" for row in rows))
    code, out, err = command("predict", finished / place, "--input", tmp_path / "sources")
    assert code == 0, err
    assert out.splitlines() == [row["predicted"] for row in rows]


LOAD = """
import json, sys
import job
model = job.load(sys.argv[1])
for found in model.predict(json.loads(sys.argv[2]), attention=True):
    print(json.dumps([found.text, found.attention.sum(axis=1).tolist(), found.score]))
print(json.dumps([sorted(found.states) for found in model.encode(["1+2"])]))
"""


def test_job_load_gives_them_too_with_attention_and_contexts(finished, command):
    directory = finished / "jobs" / "sums-seed-1"
    rows = rows_of(directory)[:5]
    sources = json.dumps([row["source"] for row in rows])
    code, out, err = command(directory, sources, python=("-c", LOAD))
    assert code == 0, err
    *found, contexts = map(json.loads, out.splitlines())
    assert [text for text, *_ in found] == [row["predicted"] for row in rows]
    assert all(weight == pytest.approx(1, abs=1e-5) for _, weights, _ in found for weight in weights)
    assert contexts == [["context"]]


def test_a_model_directory_without_the_package_names_what_is_missing(finished, command, tmp_path):
    (tmp_path / "in").write_text("1+2\n")
    given = ("predict", finished / "jobs" / "sums-seed-1", "--input", tmp_path / "in")
    code, out, err = command(*given, folders=())
    assert (code, out) == (2, "")
    (line,) = err.splitlines()
    assert "holds a GatedConvolution, which is not allowed in a model file unless an installed" in line
    assert "package offers the layers of 'gated-convolutions'" in line


def test_a_batch_that_was_killed_ends_as_the_unbroken_one(finished, installed, command, tmp_path):
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump({**SPEC, "jobs": SPEC["jobs"][:1]}))
    given = ("--spec", tmp_path / "jobs.yaml", "--output-dir", tmp_path / "output")
    process = start(tmp_path, "-m", "job", *given, folders=(installed,))
    job = tmp_path / "output" / "jobs" / "sums-seed-1"
    wait_until(lambda: checkpointed(job), process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    code, _, err = command(*given)
    assert code == 0, err
    assert json.loads((job / "result.json").read_text())["data"]["resumed_from_step"] > 0
    for name in ("sums-seed-1", "sums-seed-2"):
        directories = (root / "jobs" / name for root in (finished, tmp_path / "output"))
        one, other = (outcome(directory) for directory in directories)
        assert one == other
