"""The real command on a tiny series: trained, gated, reported, finished once, forecast from."""

import csv
import io
import json
import os
import subprocess
import sys

import pytest

SPEC = """
version: 1
jobs:
- name: zigzag
  problem:
    {kind: time_series, file: zigzag.csv, column: y, unit: mm, source_length: 4, target_length: 2, test: 6}
  model: {units: 8}
  training: {examples: all, epochs: 60, batch_size: 8, optimizer: {learning_rate: 0.02}}
  gate: {max_rmse: 1}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("series")
    (folder / "jobs.yaml").write_text(SPEC)
    (folder / "zigzag.csv").write_text("t,y\n" + "".join(f"{t},{(0, 3, 9, 3)[t % 4]}\n" for t in range(40)))
    return folder


def command(folder, *arguments, given=""):
    return subprocess.run(
        [sys.executable, "-m", "job", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "100"},
        input=given,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def done(folder):
    return command(folder)


@pytest.fixture(scope="module")
def job(folder, done):
    return folder / "output" / "jobs" / "zigzag"


def test_the_series_is_learned_and_passes_its_gate(done, job):
    assert done.returncode == 0, done.stderr
    result = json.loads((job / "result.json").read_text())
    assert result["status"] == "passed"
    assert result["metrics"]["rmse"] < 1 < result["metrics"]["persistence_rmse"]
    assert "rmse" in done.stdout
    assert " mm" in done.stderr


def test_what_a_job_leaves(done, job):
    rows = list(csv.DictReader(io.StringIO((job / "history.csv").read_text())))
    assert len({row["epoch"] for row in rows}) == 60
    assert not any(row["val_loss"] or row["token_accuracy"] for row in rows)
    assert "accuracy" not in (job / "curves.svg").read_text()
    assert " mm |" in (job.parents[1] / "report.md").read_text()


def test_a_finished_job_is_not_done_again_until_its_data_changes(run_here, folder, done):
    assert "already done" in run_here(cwd=folder).out
    path = folder / "zigzag.csv"
    before = path.read_text()
    path.write_text(before + "40,0\n")
    assert "changed" in run_here("plan", cwd=folder).out
    path.write_text(before)


def test_predict_gives_the_numbers_of_the_evaluation(folder, done, job):
    evaluated = [json.loads(line) for line in (job / "predictions.jsonl").read_text().splitlines()]
    given = "".join(line["source"] + "\n" for line in evaluated) + "\n"
    *answers, empty = command(folder, "predict", str(job), given=given).stdout.split("\n")[:-1]
    assert empty == ""
    assert [answer.split() for answer in answers[:-1]] == [
        line["predicted"].split() for line in evaluated[:-1]
    ]
    assert answers[-1].split()[:1] == evaluated[-1]["predicted"].split()  # one row is left of the series


@pytest.mark.parametrize(
    ("arguments", "given", "message"),
    [
        ((), "1 2 3\n", "error: -:1: 3 numbers, but this model reads exactly 4\n"),
        (("--n-best", "2"), "1 2 3 4\n", "error: --n-best: a model of numbers has one forecast"),
    ],
)
def test_what_predict_cannot_do(run_here, folder, done, job, arguments, given, message):
    found = run_here("predict", str(job), *arguments, given=given, cwd=folder)
    assert (found.code, found.out) == (2, "")
    assert found.err.startswith(message)


def test_every_error_of_the_spec_and_its_data_is_reported_at_once(run_here, folder):
    (folder / "bad.csv").write_text("t,yy\n1,x\n")
    spec = SPEC.replace("zigzag.csv, column: y,", "bad.csv, column: yyy, covariates: [yy],")
    (folder / "bad.yaml").write_text(spec)
    found = run_here("validate", "--spec", "bad.yaml", cwd=folder)
    assert found.code == 2
    assert found.err.splitlines() == [
        "error: bad.csv:1: jobs[0].problem.column: the file has no column 'yyy'; did you mean 'yy'?",
        "error: bad.csv:2: jobs[0].problem: yy is 'x'; expected a number (a series has no gaps)",
    ]


def test_sizes_that_do_not_fit_the_file_are_located_in_the_spec(run_here, folder):
    (folder / "long.yaml").write_text(SPEC.replace("source_length: 4", "source_length: 33"))
    found = run_here("validate", "--spec", "long.yaml", cwd=folder)
    assert found.code == 2
    assert found.err.startswith("error: long.yaml:6: jobs[0].problem.source_length: zigzag.csv has 40 rows; ")
