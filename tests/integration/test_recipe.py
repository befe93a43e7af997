"""The recipe for a problem in CONTRIBUTING.md, followed on a copy of the package."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import job

ROOT = Path(__file__).parents[2]
RECIPE = (
    (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("### A problem")[2].partition("### A metric")[0]
)
CODE = [
    re.sub("^ {3}", "", block, flags=re.MULTILINE)
    for block in re.findall(r"^ *```python\n(.*?)^ *```$", RECIPE, re.MULTILINE | re.DOTALL)
]
SPEC = """
version: 1
jobs:
- name: rotated
  problem: {kind: rotate, source_length: 4, cardinality: 9}
  model: {units: 4}
  training: {examples: 64, batch_size: 32}
  evaluation: {examples: 20, validation_examples: 10}
"""


def changed(path, *replacements):
    text = path.read_text("utf-8")
    for old, new in replacements:
        assert text.count(old) >= 1, f"{path}: {old!r} is not there"
        text = text.replace(old, new, 1)
    path.write_text(text, "utf-8")


@pytest.fixture
def package(tmp_path):
    """A copy of the package in which the recipe was followed, step by step."""
    copy = shutil.copytree(Path(job.__file__).parent, tmp_path / "copy" / "job")
    problem, section = CODE
    with (copy / "problems" / "integers.py").open("a", encoding="utf-8") as file:
        file.write("\n\n" + problem)
    changed(
        copy / "spec" / "problem_sections.py",
        ("ProblemSpec = Annotated[", f"{section}\n\nProblemSpec = Annotated["),
        ("    | CopySpec\n", "    | CopySpec\n    | RotateSpec\n"),
    )
    changed(
        copy / "problems" / "__init__.py",
        ("ReversedPrefix, Sort", "ReversedPrefix, Rotate, Sort"),
        ('    "copy": Copy,\n', '    "copy": Copy,\n    "rotate": Rotate,\n'),
    )
    return copy.parent


def test_the_recipe_for_a_problem_keeps_the_reference_up_to_date():
    assert "`make docs`" in RECIPE  # its keys are in docs/spec-reference.md


def test_the_recipe_for_a_problem_makes_a_problem_that_trains(package, tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC, "utf-8")
    given = [str(package), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-m", "job", "--spec", tmp_path / "jobs.yaml", "--output-dir", tmp_path / "output"],
        cwd=package,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(given)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "output" / "jobs" / "rotated" / "predictions.jsonl").read_text("utf-8").splitlines()
    assert len(lines) == 20
    for line in map(json.loads, lines):
        source = line["source"].split()
        assert line["target"].split() == np.roll(source, -1).tolist()
