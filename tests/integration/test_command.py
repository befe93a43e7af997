"""The real command, in processes of its own, over a small batch with every kind of end."""

import csv
import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import yaml
from in_process import Ended
from processes import read, weights

import job

SPEC = """\
version: 1
seed: 5
defaults:
  model: {units: 16}
  training: {examples: 2400, batch_size: 32, optimizer: {learning_rate: 0.03}}
  evaluation: {examples: 200, validation_examples: 50}
jobs:
  - name: prefix
    problem: {kind: reversed_prefix, source_length: 3, target_length: 2, cardinality: 6}
    gate: {min_sequence_accuracy: 0.1}
  - name: sums
    problem: {kind: addition, digits: 1}
    model: {cell: gru, bidirectional: true, attention: luong_dot, inputs: embedding, embedding_size: 8}
    gate: {max_edit_rate: 0.0, min_token_accuracy: 0.0}
  - name: words
    problem:
      {kind: text_pairs, data: {file: pairs.tsv}, split: {validation: 0.1, test: 0.2},
       source_tokens: characters, target_tokens: words}
    model: {layers: 2, inputs: embedding, dropout: 0.1}
    training: {examples: all, epochs: 2, early_stopping: {patience: 1}}
  - name: blocked
    problem: {kind: copy, source_length: 2, cardinality: 6}
    training: {examples: 64}
"""
"""`prefix` passes, `sums` misses a bar that nobody clears, `words` has no bar, `blocked` cannot save."""

FINISHED = ["prefix", "sums", "words"]
MODELS = ["train", "inference_encoder", "inference_decoder"]
RESULT_KEYS = {
    "schema_version",
    "name",
    "status",
    "fingerprint",
    "seed",
    "spec",
    "metrics",
    "gates",
    "data",
    "timings",
    "peak_rss_bytes",
    "parameters",
    "samples",
    "artifacts",
    "environment",
    "error",
}


def pairs():
    """Spell numbers: `27` -> `two seven`."""
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    return "".join(f"{n}\t{' '.join(names[int(d)] for d in str(n))}\n" for n in range(400))


def start(*arguments, cwd, **options):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables["PYTHONPATH"] = str(Path(job.__file__).parents[1])
    command = [sys.executable, "-m", "job", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def run(*arguments, cwd, given=""):
    process = start(*arguments, cwd=cwd, stdin=subprocess.PIPE)
    out, err = process.communicate(given, timeout=300)
    return Ended(process.returncode, out, err)


def result(output, name):
    return read(output / "jobs" / name / "result.json")


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The first run, by two workers: its directory, with `jobs.yaml` and `output`, and what it said."""
    cwd = tmp_path_factory.mktemp("batch")
    (cwd / "jobs.yaml").write_text(SPEC)
    (cwd / "pairs.tsv").write_text(pairs())
    in_the_way = cwd / "output" / "jobs" / "blocked" / "model"
    in_the_way.parent.mkdir(parents=True)
    in_the_way.touch()
    return cwd, run("--workers", 2, cwd=cwd)


@pytest.fixture
def again(first, tmp_path):
    """A copy of the first run's directory, to do as one likes with."""
    return Path(shutil.copytree(first[0], tmp_path / "again"))


# --- the first run ------------------------------------------------------------------------------------------


def test_a_failed_job_outweighs_a_missed_gate_in_the_exit_code(first):
    cwd, done = first
    assert done.code == 1
    assert {name: result(cwd / "output", name)["status"] for name in [*FINISHED, "blocked"]} == {
        "prefix": "passed",
        "sums": "gate_failed",
        "words": "passed",
        "blocked": "failed",
    }


def test_the_report_lists_every_job_in_the_specs_order(first):
    report = read(first[0] / "output" / "report.json")
    assert report["exit_code"] == report["verdict"]["exit_code"] == 1
    assert report["totals"] == {"passed": 2, "gate_failed": 1, "failed": 1, "interrupted": 0, "missing": 0}
    assert [entry["name"] for entry in report["jobs"]] == [*FINISHED, "blocked"]
    assert [entry["reused"] for entry in report["jobs"]] == [False] * 4
    assert [reason.split()[1] for reason in report["verdict"]["reasons"]] == ["blocked", "sums"]
    assert report["started_at"] < report["finished_at"]
    for entry in report["jobs"]:
        assert {**result(first[0] / "output", entry["name"]), "reused": False} == entry


def test_every_file_of_the_layout_is_there_and_no_other(first):
    output = first[0] / "output"
    assert {path.name for path in output.iterdir()} == {
        "report.json",
        "report.html",
        "report.md",
        "junit.xml",
        "metrics.prom",
        "plan.json",
        "jobs",
    }
    expected = {"result.json", "spec.yaml", "history.csv", "predictions.jsonl", "job.log", "contexts.json"}
    expected |= {"curves.svg", "accuracy.svg", "contexts.svg", "validation_predictions.jsonl"}
    models = {f"model/{name}.keras" for name in MODELS} | {"model/vocabulary.json", "model/README.md"}
    for name in FINISHED:
        directory = output / "jobs" / name
        found = {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}
        assert found == expected | models | ({"attention.svg"} if name == "sums" else set())


def test_a_result_has_the_documented_keys_and_lists_its_files(first):
    for name in FINISHED:
        record = result(first[0] / "output", name)
        assert record.keys() >= RESULT_KEYS
        assert record["schema_version"] == 1
        assert record["seed"] == 5
        assert len(record["samples"]) == 10
        assert {"sequence_accuracy", "token_accuracy", "edit_rate"} <= record["metrics"].keys()
        assert {"train_seconds", "total_seconds", "train_examples_per_second"} <= record["timings"].keys()
        assert record["peak_rss_bytes"] > 1e8
        assert record["error"] is None
        directory = first[0] / "output" / "jobs" / name
        listed = {artifact["path"]: artifact["bytes"] for artifact in record["artifacts"]}
        unlisted = {"result.json", "job.log"}
        assert listed == {
            path.relative_to(directory).as_posix(): path.stat().st_size
            for path in directory.rglob("*")
            if path.is_file() and path.name not in unlisted
        }


def test_a_failed_job_says_why_in_a_line_and_where_in_its_log(first):
    cwd, done = first
    error = result(cwd / "output", "blocked")["error"]
    assert error["type"] == "FileExistsError"
    assert error["traceback_file"] == "job.log"
    log = (cwd / "output" / "jobs" / "blocked" / "job.log").read_text()
    assert "Traceback (most recent call last):" in log
    assert "in save_models" in log
    assert "Traceback" not in done.out + done.err
    assert sum("blocked: failed: FileExistsError: " in line for line in done.err.splitlines()) == 1


def test_every_prediction_is_recorded(first):
    for name, count in (("prefix", 200), ("sums", 200), ("words", None)):
        lines = (first[0] / "output" / "jobs" / name / "predictions.jsonl").read_text("utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert {frozenset(row) for row in rows} == {
            frozenset({"id", "source", "target", "predicted", "correct"})
        }
        assert [row["id"] for row in rows] == [str(i) for i in range(len(rows))]
        assert len(rows) == (count or result(first[0] / "output", name)["data"]["test_examples"])
        accuracy = result(first[0] / "output", name)["metrics"]["sequence_accuracy"]
        assert np.mean([row["correct"] for row in rows]) == accuracy
        assert all(row["correct"] == (row["predicted"] == row["target"]) for row in rows)


def test_the_reports_for_people_and_machines_parse(first):
    output = first[0] / "output"
    cases = ET.parse(output / "junit.xml").getroot().iter("testcase")
    outcomes = {
        case.get("name"): [child.tag for child in case if child.tag != "system-out"] for case in cases
    }
    assert {name: found for name, found in outcomes.items() if ":" not in name} == {
        **{"prefix": [], "sums": [], "words": [], "blocked": ["error"]}
    }
    assert outcomes["sums: max_edit_rate"] == ["failure"]
    for name in FINISHED:
        drawn = [*(output / "jobs" / name).glob("*.svg")]
        assert {ET.parse(path).getroot().tag for path in drawn} == {"{http://www.w3.org/2000/svg}svg"}
        text = (output / "report.md").read_text("utf-8")
        assert all(f"](jobs/{name}/{path.name})" in text for path in drawn)
    spec = yaml.safe_load((output / "jobs" / "sums" / "spec.yaml").read_text())
    assert spec == result(output, "sums")["spec"]
    assert spec["model"]["units"] == 16


def test_the_terminal_shows_a_table_and_the_verdict(first):
    _, done = first
    for name in [*FINISHED, "blocked"]:
        assert any(line.split()[:1] == [name] for line in done.out.splitlines())
    assert "Exit code 1" in done.out
    assert "job sums failed its gate: edit_rate is " in done.out


# --- afterwards ---------------------------------------------------------------------------------------------


def test_a_second_run_computes_what_failed_and_what_a_change_affects_and_says_so(run_here, again):
    output = again / "output"
    (output / "jobs" / "blocked" / "model").unlink()
    spec = SPEC.replace("min_sequence_accuracy: 0.1", "min_sequence_accuracy: 0.05")
    spec = spec.replace(
        "    model: {layers: 2,", "    evaluation: {decoder: beam, beam_width: 2}\n    model: {layers: 2,"
    )
    (again / "jobs.yaml").write_text(spec)
    before = {name: result(output, name) for name in FINISHED}
    done = run_here("--workers", 1, cwd=again)
    assert done.code == 3
    report = read(output / "report.json")
    assert [(entry["name"], entry["status"], entry["reused"]) for entry in report["jobs"]] == [
        ("prefix", "passed", True),
        ("sums", "gate_failed", True),
        ("words", "passed", False),
        ("blocked", "passed", False),
    ]
    said = [line.partition(" ")[2] for line in done.err.splitlines()]
    assert "prefix: re-judge: gate.min_sequence_accuracy 0.1 -> 0.05" in said
    assert "sums: skip: nothing that decides its result has changed" in said
    assert "words: re-evaluate: evaluation.decoder greedy -> beam, evaluation.beam_width 4 -> 2" in said
    assert [line.split(":")[0] for line in said if line.endswith(": started")] == ["words", "blocked"]
    prefix, words = result(output, "prefix"), result(output, "words")
    assert prefix["spec"]["gate"]["min_sequence_accuracy"] == 0.05
    assert result(output, "sums") == before["sums"]
    same = ("training_fingerprint", "history", "parameters", "test_fingerprint")
    assert {key: words[key] for key in same} == {key: before["words"][key] for key in same}
    assert words["fingerprint"] == words["evaluation_fingerprint"] != before["words"]["fingerprint"]
    assert words["timings"]["train_seconds"] == before["words"]["timings"]["train_seconds"]
    (aside,) = (output / "superseded").iterdir()
    assert aside.name == f"words-{before['words']['fingerprint'][:8]}"
    assert read(aside / "result.json") == before["words"]
    assert (aside / "model" / "train.keras").samefile(output / "jobs/words/model/train.keras")
    assert read(output / "jobs/words/model/vocabulary.json")["search"]["decoder"] == "beam"


def test_a_run_with_nothing_to_do_takes_the_exit_code_from_what_is_there(run_here, again):
    done = run_here("--only", "prefix", "--only", "words", cwd=again)
    assert done.code == 0
    assert "started" not in done.err
    assert read(again / "output" / "report.json")["totals"]["passed"] == 2


def test_report_builds_the_same_reports_again(run_here, again):
    output = again / "output"
    before = read(output / "report.json")
    for name in ("report.json", "report.html", "report.md", "junit.xml"):
        (output / name).unlink()
    done = run_here("report", "output", cwd=again)
    assert done.code == 1
    after = read(output / "report.json")
    assert [entry.pop("reused") for entry in before["jobs"]] == [False] * 4
    assert [entry.pop("reused") for entry in after["jobs"]] == [True] * 4  # this command trained nothing
    for report in (before, after):
        assert report.pop("started_at") <= report.pop("finished_at")
    assert after == before
    assert (output / "report.md").exists()
    assert (output / "junit.xml").exists()


def test_report_misses_a_job_that_has_no_result(run_here, again):
    (again / "output" / "jobs" / "words" / "result.json").unlink()
    done = run_here("report", "output", cwd=again)
    assert done.code == 1
    report = read(again / "output" / "report.json")
    assert report["missing"] == ["words"]
    assert report["totals"]["missing"] == 1


def test_report_refuses_a_result_of_another_spec(run_here, again):
    path = again / "output" / "plan.json"
    sums = result(again / "output", "sums")
    for mark in (sums["fingerprint"], sums["training_fingerprint"]):
        path.write_text(path.read_text().replace(mark, "0" * 64))
    done = run_here("report", "output", cwd=again)
    assert done.code == 2
    assert "sums" in done.err
    assert "another spec" in done.err


def test_plan_says_what_is_done(run_here, again):
    (again / "jobs.yaml").write_text(SPEC.replace("max_edit_rate: 0.0", "max_edit_rate: 0.5"))
    done = run_here("plan", cwd=again)
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.strip()}
    actions = {"prefix": "skip", "sums": "re-judge", "words": "skip", "blocked": "resume"}
    assert {name: rows[name].split()[-1] for name in actions} == actions
    assert "  re-judge sums: gate.max_edit_rate 0.0 -> 0.5\n" in done.out
    assert "  resume blocked: it has failed after a checkpoint: FileExistsError: " in done.out
    for name in FINISHED:
        assert f"{result(again / 'output', name)['parameters']:,}" in rows[name]
    assert result(again / "output", "prefix")["fingerprint"][:8] in rows["prefix"]


@pytest.mark.parametrize(("name", "in_a_process"), [("prefix", False), ("words", False), ("sums", True)])
def test_predict_gives_the_predictions_of_the_evaluation(run_here, first, name, in_a_process):
    directory = first[0] / "output" / "jobs" / name
    lines = (directory / "predictions.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    given = "".join(row["source"] + "\n" for row in rows)
    done = (run if in_a_process else run_here)("predict", directory, cwd=first[0], given=given)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [row["predicted"] for row in rows]


def test_encode_writes_a_context_for_each_source(run_here, first, tmp_path):
    (tmp_path / "in.txt").write_text("1+2\n\n3+4\n")
    model = first[0] / "output" / "jobs" / "sums" / "model"
    done = run_here("encode", model, "--input", "in.txt", "--output", "c.npz", cwd=tmp_path)
    assert (done.code, done.out) == (0, "")
    with np.load(tmp_path / "c.npz") as arrays:
        assert {name: arrays[name].shape for name in arrays.files} == {"ids": (2,), "h1": (2, 16)}
        assert arrays["ids"].tolist() == [0, 2]


# --- one spec, one answer -----------------------------------------------------------------------------------


def test_trained_afresh_by_one_worker_the_same_spec_gives_the_same_bits(again):
    output = again / "output"
    only = [argument for name in FINISHED for argument in ("--only", name)]
    done = run("--workers", 1, "--fresh", "--tensorboard", *only, cwd=again)
    assert done.code == 3
    assert "already done" not in done.err
    for name in FINISHED:
        new = output / "jobs" / name
        old = output / "superseded" / f"{name}-{result(output, name)['fingerprint'][:8]}"
        assert read(old / "result.json")["timings"] != read(new / "result.json")["timings"]
        assert read(old / "result.json")["metrics"] == read(new / "result.json")["metrics"]
        assert (old / "predictions.jsonl").read_bytes() == (new / "predictions.jsonl").read_bytes()
        histories = [
            [*csv.DictReader((path / "history.csv").read_text().splitlines())] for path in (old, new)
        ]
        for row in [row for history in histories for row in history]:
            assert float(row.pop("seconds")) > 0
        assert histories[0] == histories[1]
        for model in MODELS:
            before, after = (weights(path / "model" / f"{model}.keras") for path in (old, new))
            assert len(before) >= 3
            assert after == before
        (events,) = (new / "tensorboard").iterdir()
        assert f"tensorboard/{events.name}" in {entry["path"] for entry in result(output, name)["artifacts"]}


# --- wrong from the start -----------------------------------------------------------------------------------


def test_a_bad_spec_trains_nothing_and_writes_nothing(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC.replace("units: 16", "units: 0"))
    done = run(cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines
    assert all(line.startswith("error: ") for line in lines)
    assert {path.name for path in tmp_path.iterdir()} == {"jobs.yaml"}


def test_an_output_directory_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    (tmp_path / "pairs.tsv").write_text(pairs())
    (tmp_path / "output").write_text("mine")
    done = run(cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("error: output directory output is a file")
    assert (tmp_path / "output").read_text() == "mine"
