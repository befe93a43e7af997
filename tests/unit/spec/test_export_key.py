"""The key `export`: what it allows, what it changes, and the packages that it needs."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from job.cli.checked_spec import load_checked_spec
from job.errors import SpecError
from job.spec import export_packages
from job.spec.fingerprints import fingerprints_of
from job.spec.schema import JobSpec
from job.spec.spec_loading import load_located

COPY = {"kind": "copy", "source_length": 2, "cardinality": 6}
SERIES = {
    "kind": "time_series",
    "file": "a.csv",
    "column": "y",
    "source_length": 4,
    "target_length": 2,
    "test": 6,
}


def job_spec(**keys):
    return JobSpec.model_validate({"name": "a", "problem": COPY, **keys})


def test_without_it_the_record_of_a_job_is_as_before():
    assert job_spec().export == []
    assert "export" not in job_spec().model_dump(mode="json")
    assert "export" not in job_spec(export=[]).model_dump(mode="json")
    assert job_spec(export=["onnx"]).model_dump(mode="json")["export"] == ["onnx"]
    assert job_spec(export=["onnx_int8", "onnx"]).export == ["onnx", "onnx_int8"]


def test_it_changes_the_evaluation_alone(tmp_path):
    before, after = (fingerprints_of(job, tmp_path) for job in (job_spec(), job_spec(export=["onnx"])))
    assert before.training == after.training
    assert before.evaluation != after.evaluation
    assert before == fingerprints_of(job_spec(export=[]), tmp_path)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"export": ["onnx", "onnx"]}, "a format twice"),
        ({"export": ["int8"]}, "'saved_model', 'onnx' or 'onnx_int8'"),
        ({"export": ["onnx_int8"]}, "name onnx too"),
        ({"export": ["onnx"], "problem": SERIES}, "for models of tokens, but this problem forecasts numbers"),
    ],
)
def test_what_it_refuses(keys, message):
    with pytest.raises(ValidationError, match=message):
        job_spec(**keys)


def located(path, export):
    path.write_text(
        "version: 1\ndefaults:\n  problem: {kind: copy, source_length: 2, cardinality: 6}\n"
        f"jobs:\n- name: a\n  export: {export}\n",
        "utf-8",
    )
    return load_located(path)


def test_missing_packages_are_named_with_the_command_that_installs_them(tmp_path, monkeypatch):
    monkeypatch.setattr(export_packages, "installed", lambda package: "1" if package == "onnx" else None)
    (complaint,) = export_packages.missing_packages(located(tmp_path / "s.yaml", "[saved_model, onnx]"))
    assert complaint.line == 6
    assert complaint.key == "jobs[0].export[1]"
    assert complaint.message == (
        'onnx needs tf2onnx and onnxruntime, which are not installed; run: pip install "seq2seq-job[export]"'
    )
    assert [*export_packages.missing_packages(located(tmp_path / "s.yaml", "[saved_model]"))] == []
    monkeypatch.setattr(export_packages, "installed", lambda package: None)
    (complaint,) = export_packages.missing_packages(located(tmp_path / "s.yaml", "[onnx]"))
    assert complaint.message.startswith("onnx needs tf2onnx, onnx and onnxruntime, which are not installed")


def test_a_spec_whose_packages_are_missing_is_wrong_before_anything_is_trained(tmp_path, monkeypatch):
    path = tmp_path / "s.yaml"
    located(path, "[onnx]")
    monkeypatch.setattr(export_packages, "installed", lambda package: None)
    with pytest.raises(SpecError, match=r"s\.yaml:6: jobs\[0\]\.export\[0\]: onnx needs tf2onnx") as error:
        load_checked_spec(path)
    assert error.value.exit_code == 2
    monkeypatch.setattr(export_packages, "installed", lambda package: "1")
    assert len(load_checked_spec(path)[0].spec.jobs) == 1


def test_it_may_stand_in_defaults(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(
        "version: 1\ndefaults: {export: [saved_model]}\njobs:\n"
        "- {name: a, problem: {kind: copy, source_length: 2, cardinality: 6}}\n"
        "- {name: b, problem: {kind: copy, source_length: 2, cardinality: 6}, export: []}\n",
        "utf-8",
    )
    assert [job.export for job in load_located(path).spec.jobs] == [["saved_model"], []]
