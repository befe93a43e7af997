"""Recorded sums are held against the files before a result is used; what is damaged is never lost."""

import hashlib
import json
import shutil
import time
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from in_process import run_in_process
from sample_jobs import job_result, job_spec

from job.batch.batch_options import BatchOptions
from job.batch.merge import merge_reports
from job.batch.planning import make_plan, write_plan
from job.batch.progress import Log
from job.batch.resume import make_room
from job.batch.run_batch import run_batch
from job.errors import BAD_BASELINE, BAD_USAGE, FAILED
from job.gating import batch_verdict
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.results.data_facts import DataFacts
from job.results.job_files import list_files
from job.results.job_result import JobResult
from job.spec.schema import Spec
from job.storage.artifacts import OutputPaths

FILES = {
    "model/train.keras": b"train weights",
    "model/inference_encoder.keras": b"encoder weights",
    "model/inference_decoder.keras": b"decoder weights",
    "model/vocabulary.json": b"{}",
    "predictions.jsonl": b'{"id": "0", "source": "1", "target": "1", "predicted": "1", "correct": true}\n',
    "history.csv": b"step,loss\n1,0.5\n",
    "contexts.json": b"{}",
    "spec.yaml": b"name: a\n",
}
OF_EVALUATION = {"model/vocabulary.json", "predictions.jsonl", "contexts.json", "spec.yaml"}
"""What evaluating the model again writes, without training."""

DERIVED = {"curves.svg": b"<svg/>", "contexts.svg": b"<svg/>", "tensorboard/events.out": b"events"}


def newer(record):
    return json.dumps({**json.loads(record), "schema_version": 99}).encode()


UNREADABLE = {
    "newer_schema": newer,
    "truncated": lambda record: record[:-20],
    "bom": lambda record: b"\xef\xbb\xbf" + record,
    "empty": lambda record: b"",
    "no_json": lambda record: b"passed",
    "list": lambda record: b"[]",
    "wrong_types": lambda record: json.dumps({**json.loads(record), "metrics": ["all"]}).encode(),
    "utf16": lambda record: record.decode().encode("utf-16"),
}


def flip(path):
    """Change one byte in the middle of a file, and nothing else."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def leave_job(output, name, fingerprint, training="", **fields):
    """Leave a finished job with all its files."""
    paths = output.job(name)
    for file, content in {**FILES, **DERIVED}.items():
        (paths.directory / file).parent.mkdir(parents=True, exist_ok=True)
        (paths.directory / file).write_bytes(content)
    listed = {"artifacts": list_files(paths.directory), "training_fingerprint": training}
    result = job_result(name, fingerprint=fingerprint, **listed, **fields)
    paths.result.write_text(result.to_json())
    return result


@pytest.fixture
def batch(output):
    """The plan of the jobs `fine-1` and `fine-2`, which a run finished; returns a function that plans."""
    spec = Spec(path=output.root / "jobs.yaml", jobs=(job_spec("fine-1"), job_spec("fine-2")))
    plan = make_plan(spec, output)
    write_plan(output, plan)
    accuracy = {"metrics": {"sequence_accuracy": 0.5}, "data": DataFacts(test_examples=1)}
    results = []
    for planned in plan:
        given = {
            "spec": planned.job.model_dump(mode="json"),
            "problem_fingerprint": planned.problem_fingerprint,
        }
        marks = planned.fingerprints.evaluation, planned.fingerprints.training
        results.append(leave_job(output, planned.job.name, *marks, **accuracy, **given))
    moment = datetime(2026, 7, 1, tzinfo=timezone.utc)
    verdict = batch_verdict.decide([result.name for result in results], results)
    write_reports(output, build_report(results, started_at=moment, finished_at=moment, verdict=verdict))
    return lambda **options: make_plan(spec, output, **options)


def states(plan):
    return {planned.job.name: planned.state for planned in plan}


# --- a result that is used again ----------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_a_job_with_a_flipped_byte_is_computed_again_and_what_was_there_is_set_aside(
    batch, output, stand_in, file
):
    path = output.job("fine-1").directory / file
    flip(path)
    damaged, lines = path.read_bytes(), []
    plan = batch()
    state, action = ("re-evaluable", "re-evaluate") if file in OF_EVALUATION else ("damaged", "train")
    assert states(plan) == {"fine-1": state, "fine-2": "done"}
    assert plan[0].action == action
    report = run_batch(plan, output, output.root, Log(lines.append), BatchOptions())
    assert report.exit_code == 0
    assert [job.reused for job in report.jobs] == [False, True]
    (aside,) = report.set_aside
    assert aside.job == "fine-1"
    assert aside.reason.startswith(f"{file} has changed since it was recorded")
    assert (output.root / aside.place / file).read_bytes() == damaged
    assert [line for line in lines if aside.place in line and file in line]
    for text in (output.markdown, output.html):
        assert aside.place in text.read_text("utf-8")
    assert Report.from_json(output.report.read_bytes()) == report


@pytest.mark.parametrize("file", [name for name in FILES if name.startswith(("model/", "predictions"))])
def test_a_job_that_lacks_a_file_is_set_aside(batch, output, file):
    (output.job("fine-1").directory / file).unlink()
    assert states(batch())["fine-1"] == ("re-evaluable" if file in OF_EVALUATION else "incomplete")
    aside = make_room(output, "fine-1", batch()[0].fingerprints, fresh=False)
    assert aside.reason == f"{file} is missing"
    assert (output.root / aside.place / "result.json").is_file()


@pytest.mark.parametrize("file", DERIVED)
@pytest.mark.parametrize("how", ["gone", "changed"])
def test_a_drawing_is_no_reason_to_train_again(batch, output, file, how):
    path = output.job("fine-1").directory / file
    path.unlink() if how == "gone" else flip(path)
    assert states(batch())["fine-1"] == "done"


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_result_that_cannot_be_read_is_set_aside_as_it_is(batch, output, how):
    path = output.job("fine-1").result
    content = UNREADABLE[how](path.read_bytes())
    path.write_bytes(content)
    (planned, _) = batch()
    assert planned.state == "damaged"
    aside = make_room(output, "fine-1", planned.fingerprints, fresh=False)
    assert aside.reason.startswith("result.json cannot be read (")
    assert "schema_version is 99" in aside.reason or how != "newer_schema"
    assert (output.root / aside.place / "result.json").read_bytes() == content
    assert (output.root / aside.place / "model/train.keras").read_bytes() == FILES["model/train.keras"]


def test_a_file_outside_of_the_job_is_not_looked_at(batch, output):
    secret = output.root / "secret"
    secret.write_bytes(b"secret")
    paths = output.job("fine-1")
    result = JobResult.from_json(paths.result.read_bytes())
    outside = replace(
        result.artifacts[0], path="../../secret", bytes=6, sha256=hashlib.sha256(b"secret").hexdigest()
    )
    paths.result.write_text(replace(result, artifacts=(outside,)).to_json())
    assert states(batch())["fine-1"] == "damaged"


def test_files_of_jobs_that_are_not_run_are_not_read(batch, output):
    flip(output.job("fine-1").predictions)
    assert states(batch(verified=["fine-2"]))["fine-1"] == "done"


# --- reports ------------------------------------------------------------------------------------------------


@pytest.fixture
def command(capsys):
    """Run a command in this process; returns its exit code and all that it printed."""

    def run(*arguments):
        return run_in_process(*arguments), "".join(capsys.readouterr())

    return run


@pytest.mark.parametrize("file", FILES)
def test_a_report_says_which_file_of_which_job_is_damaged(batch, output, command, file):
    assert command("report", output.root)[0] == 0
    path = output.job("fine-1").directory / file
    flip(path)
    assert command("report", output.root)[0] == FAILED
    report = Report.from_json(output.report.read_bytes())
    assert report.missing == ("fine-1",)
    (reason,) = report.verdict.reasons
    assert reason.startswith(f"job fine-1 has no result that can be used: {path} has changed since it was")
    assert report.unusable["fine-1"] in reason
    assert not output.superseded.exists()


@pytest.mark.parametrize("how", UNREADABLE)
def test_a_report_says_which_result_cannot_be_read(batch, output, command, how):
    path = output.job("fine-2").result
    content = UNREADABLE[how](path.read_bytes())
    path.write_bytes(content)
    assert command("report", output.root)[0] == FAILED
    (reason,) = Report.from_json(output.report.read_bytes()).verdict.reasons
    assert f"job fine-2 has no result that can be used: {path} cannot be read (" in reason
    assert path.read_bytes() == content


@pytest.mark.parametrize("order", [1, -1])
def test_an_intact_result_is_gathered_before_a_damaged_one(batch, output, tmp_path, order):
    other = OutputPaths(tmp_path / "other")
    shutil.copytree(output.root, other.root)
    flip(output.job("fine-1").predictions)
    flip(other.job("fine-2").predictions)
    into = tmp_path / "all"
    assert merge_reports([output.root, other.root][::order], into).exit_code == 0
    for name in ("fine-1", "fine-2"):
        assert OutputPaths(into).job(name).predictions.read_bytes() == FILES["predictions.jsonl"]


def test_a_damaged_result_is_gathered_where_there_is_no_other(batch, output, tmp_path):
    flip(output.job("fine-1").predictions)
    merged = merge_reports([output.root], tmp_path / "all")
    assert (merged.exit_code, merged.missing) == (FAILED, ("fine-1",))
    assert "all/jobs/fine-1/predictions.jsonl has changed" in merged.unusable["fine-1"]


def test_the_files_of_600_jobs_are_checked_in_seconds(output):
    entries = {f"j{number}": f"{number:064x}" for number in range(600)}
    plan = [{"name": name, "fingerprint": mark} for name, mark in entries.items()]
    output.plan.write_text(json.dumps({"schema_version": 1, "jobs": plan}))
    for name, mark in entries.items():
        leave_job(output, name, mark)
    began = time.process_time()
    assert merge_reports([output.root]).exit_code == 0
    assert time.process_time() - began < 10


# --- baselines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_baseline_is_exit_code_4_and_named(batch, output, command, tmp_path, file):
    baseline = OutputPaths(tmp_path / "baseline")
    shutil.copytree(output.root, baseline.root)
    path = baseline.job("fine-2").directory / file
    flip(path)
    for arguments in (
        ("report", output.root, "--baseline", baseline.root),
        ("compare", baseline.root, output.root),
    ):
        code, said = command(*arguments)
        assert code == BAD_BASELINE
        assert f"job fine-2: {path} has changed since it was recorded" in said.replace("\n", "")


def test_a_baseline_without_models_is_whole(batch, output, command, tmp_path):
    baseline = OutputPaths(tmp_path / "baseline")
    shutil.copytree(output.root, baseline.root)
    for name in ("fine-1", "fine-2"):
        shutil.rmtree(baseline.job(name).model)
    _, said = command("compare", baseline.root, output.root)
    assert "has changed" not in said
    assert "is missing" not in said


@pytest.mark.parametrize("file", FILES)
def test_a_damaged_candidate_is_exit_code_1_and_named(batch, output, command, tmp_path, file):
    candidate = OutputPaths(tmp_path / "candidate")
    shutil.copytree(output.root, candidate.root)
    path = candidate.job("fine-1").directory / file
    flip(path)
    code, said = command("compare", output.root, candidate.root)
    assert code == FAILED
    assert f"job fine-1: {path} has changed since it was recorded" in said


# --- models -------------------------------------------------------------------------------------------------


@pytest.fixture
def model(trained_job, tmp_path):
    """A copy of a trained job as a batch leaves it."""
    directory = tmp_path / "copy" / "sums"
    shutil.copytree(trained_job.paths.directory, directory)
    (directory / "result.json").write_text(
        replace(trained_job.judged, artifacts=list_files(directory)).to_json()
    )
    return directory


@pytest.mark.parametrize("place", [".", "model"])
@pytest.mark.parametrize("file", ["inference_encoder.keras", "inference_decoder.keras", "vocabulary.json"])
def test_a_model_with_a_flipped_byte_is_not_loaded(model, command, monkeypatch, place, file):
    flip(model / "model" / file)
    lines = model.parent / "lines.txt"
    lines.write_text("1+2\n")
    for arguments in (("predict", model / place), ("encode", model / place, "--output", model / "c.npz")):
        code, said = command(*arguments, "--input", lines)
        assert code == BAD_USAGE
        assert f"{model / 'model' / file} has changed since it was recorded" in said
    monkeypatch.chdir(model / place)
    assert command("predict", ".", "--input", lines)[0] == BAD_USAGE


def test_a_whole_model_is_loaded_and_one_without_its_result_too(model, command):
    lines = model.parent / "lines.txt"
    lines.write_text("1+2\n")
    (model / "model" / "train.keras").unlink()  # which predicting does not need
    code, said = command("predict", model, "--input", lines)
    assert code == 0
    (model / "result.json").unlink()
    assert command("predict", model / "model", "--input", lines) == (0, said)


def test_a_model_whose_result_cannot_be_read_is_not_loaded(model, command):
    (model / "result.json").write_bytes(newer((model / "result.json").read_bytes()))
    code, said = command("predict", model)
    assert code == BAD_USAGE
    assert "result.json cannot be read (schema_version is 99" in said
