"""The example of a problem outside the package: built, installed and run as its user would."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from offered import install_example

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_problem"
DOCUMENT = Path(__file__).parents[2] / "docs" / "custom_problems.md"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that the example is installed in."""
    return install_example(EXAMPLE, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def command(installed, tmp_path):
    """Run the command where the example is installed; return exit code, output and errors."""

    def run(*arguments, folders=(installed,)):
        path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.run(
            [sys.executable, "-m", "job", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run


def spec_file(tmp_path, **changes):
    """The example's spec with a few keys changed."""
    spec = yaml.safe_load((EXAMPLE / "jobs.yaml").read_text())
    spec["jobs"][0].update(changes)
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(spec))
    return tmp_path / "jobs.yaml"


def test_validate(command):
    done = command("validate", "--spec", EXAMPLE / "jobs.yaml")
    assert (done.returncode, done.stdout) == (0, "1 job, OK\n"), done.stderr


def test_without_its_package(command):
    done = command("validate", "--spec", EXAMPLE / "jobs.yaml", folders=())
    assert done.returncode == 2
    assert "jobs[0].problem.name: no installed package offers a problem 'roman_numerals'" in done.stderr


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"largest": 4000}, "options.largest", "largest must be a whole number from 1 to 3999, found 4000"),
        ({"largset": 10}, "options.largset", "largset is not an option of this problem"),
    ],
)
def test_refused_options_are_located(command, tmp_path, options, key, message):
    problem = {"kind": "plugin", "name": "roman_numerals", "options": options}
    done = command("validate", "--spec", spec_file(tmp_path, problem=problem))
    assert done.returncode == 2
    assert f"jobs[0].problem.{key}: {message}" in done.stderr
    assert "Traceback" not in done.stderr


def test_plan_and_run_and_predict(command, tmp_path):
    spec = spec_file(
        tmp_path,
        model={"units": 16},
        training={"examples": 640, "batch_size": 64},
        evaluation={"examples": 50, "validation_examples": 20, "also": [{"largest": 99}]},
        gate={},
    )
    planned = command("plan", "--spec", spec)
    assert planned.returncode == 0, planned.stderr
    assert "roman" in planned.stdout

    done = command("--spec", spec)
    assert done.returncode == 0, done.stderr
    job = tmp_path / "output" / "jobs" / "roman"
    result = json.loads((job / "result.json").read_text())
    assert result["status"] == "passed"
    assert result["data"]["largest"] == result["data"]["source_space"] == 3999
    assert result["environment"]["problem"] == "roman-numerals 1.0"
    (also,) = result["also"]
    assert (also["sizes"], also["examples"]) == ({"largest": 99}, 50)
    lines = (job / "predictions.jsonl").read_text().splitlines()
    targets = {p["source"]: p["target"] for p in map(json.loads, lines)}
    assert len(targets) > 40
    from_text = {"1": "I", "4": "IV", "9": "IX", "90": "XC", "1994": "MCMXCIV"}
    assert all(from_text.get(source, target) == target for source, target in targets.items())
    assert all(set(target) <= set("IVXLCDM") for target in targets.values())

    (tmp_path / "sources").write_text("1994\n\n7\n")
    predicted = command("predict", job, "--input", tmp_path / "sources")
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 3


def test_numerals_are_those_of_the_romans(installed):
    check = "import roman_numerals as r; print(*map(r.roman, [1, 4, 9, 40, 90, 400, 900, 1994, 3999]))"
    path = os.pathsep.join([str(installed), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-c", check],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["I", "IV", "IX", "XL", "XC", "CD", "CM", "MCMXCIV", "MMMCMXCIX"]
