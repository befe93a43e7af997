"""`export` by the whole command: added to a finished job, dropped again, and used as docs/export.md says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import job

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")
SPEC = "export.yaml"
SMALL = """\
    model: {units: 16}
    training: {examples: 640, batch_size: 32}
    evaluation: {examples: 50, validation_examples: 20}
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def run(directory: Path, *command: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables |= {"PYTHONPATH": str(Path(job.__file__).parents[1]), "PYTHONWARNINGS": "default"}
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    return subprocess.run(
        command, cwd=directory, env=variables, capture_output=True, text=True, timeout=300, check=False
    )


def batch(directory: Path, spec: str) -> dict[str, Any]:
    (directory / SPEC).write_text(spec, "utf-8")
    done = run(directory, sys.executable, "-m", "job", "--spec", SPEC)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((directory / "output/jobs/tutorial/result.json").read_text("utf-8"))
    return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    """The document's job, trained without its export; then with it."""
    directory = tmp_path_factory.mktemp("export")
    (spec,) = blocks("yaml")
    spec += SMALL
    before = batch(directory, spec.replace("    export: [saved_model, onnx]\n", ""))
    return directory, before, batch(directory, spec)


def test_an_export_is_added_without_training(trained: Any) -> None:
    directory, before, after = trained
    assert before["exports"] == []
    assert "export_seconds" not in before["timings"]
    assert after["training_fingerprint"] == before["training_fingerprint"]
    assert after["history"] == before["history"]
    assert after["metrics"] == before["metrics"]
    assert after["timings"]["train_seconds"] == before["timings"]["train_seconds"]
    assert after["timings"]["export_seconds"] > 0
    assert [e["format"] for e in after["exports"]] == ["saved_model", "onnx"]
    assert {e["examples"] for e in after["exports"]} == {50}
    files = {a["path"]: a["bytes"] for a in after["artifacts"]}
    for export in after["exports"]:
        inside = [size for path, size in files.items() if path.startswith(f"{export['directory']}/")]
        assert export["bytes"] == sum(inside)
    assert {"export/README.md", "export/vocabulary.json"} <= files.keys()
    for report in ("report.md", "report.html"):
        text = (directory / "output" / report).read_text("utf-8")
        assert "Exported as a SavedModel" in text
        assert "Exported as ONNX" in text


def test_the_snippets_of_the_document_predict_what_the_job_predicts(trained: Any) -> None:
    directory, _, _ = trained
    source = "3 14 15 9 26 5"
    line = f"import job; print(next(iter(job.load('output/jobs/tutorial').predict(['{source}']))).text)"
    done = run(directory, sys.executable, "-c", line)
    assert done.returncode == 0, done.stderr
    expected = done.stdout.split()
    for code in blocks("python"):
        found = run(directory, sys.executable, "-c", code)
        assert found.returncode == 0, found.stderr
        assert re.findall(r"\d+", found.stdout.partition("]")[0]) == expected
    (command,) = blocks("sh")
    found = run(directory, "sh", "-ec", command)
    assert found.returncode == 0, found.stderr
    assert f"[[{' '.join(expected)}]]" in " ".join(found.stdout.split())


def test_a_damaged_export_is_made_again_and_one_that_is_not_asked_for_goes(trained: Any) -> None:
    directory, before, after = trained
    place = directory / "output/jobs/tutorial/export"
    (place / "onnx" / "encoder.onnx").unlink()
    spec = (directory / SPEC).read_text("utf-8")
    again = batch(directory, spec)
    assert again["history"] == after["history"]
    assert (place / "onnx" / "encoder.onnx").exists()
    without = batch(directory, spec.replace("[saved_model, onnx]", "[]"))
    assert without["metrics"] == before["metrics"]
    assert without["exports"] == []
    assert not place.exists()
    assert not [a for a in without["artifacts"] if a["path"].startswith("export/")]
