"""Nights with a baseline: the same, worse, other, gone; and the baseline made anew."""

import html
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import Ended, run_in
from processes import read

import job

SPEC = """\
version: 1
seed: 5
defaults:
  model: {{units: 32}}
  training: {{examples: {examples}, batch_size: 32, optimizer: {{learning_rate: 0.03}}}}
  evaluation: {{examples: 1000, validation_examples: 50}}
jobs:
  - name: prefix
    problem: {{kind: reversed_prefix, source_length: {length}, target_length: 2, cardinality: 8}}
  - name: series
    problem:
      {{kind: time_series, file: sales.csv, column: sales, source_length: 4, target_length: 1, test: 40}}
    training: {{examples: all, epochs: 4}}
"""


def run(*arguments, cwd):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables |= {"PYTHONPATH": str(Path(job.__file__).parents[1]), "COLUMNS": "200"}
    command = [sys.executable, "-m", "job", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=300, check=False
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def spec(cwd, examples=6400, length=3):
    (cwd / "jobs.yaml").write_text(SPEC.format(examples=examples, length=length))


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    """A directory with a baseline."""
    cwd = tmp_path_factory.mktemp("first_night")
    rows = [f"{50 + 10 * (i % 4) + i / 10}" for i in range(160)]
    (cwd / "sales.csv").write_text("\n".join(["sales", *rows]) + "\n")
    spec(cwd)
    done = run_in(cwd, "--workers", 1, "--output-dir", "baseline")
    assert done.code == 0, done.err
    return cwd


@pytest.fixture(scope="module")
def second_night(first_night, tmp_path_factory):
    """The next night, with the same spec: its directory, and how it ended."""
    cwd = Path(shutil.copytree(first_night, tmp_path_factory.mktemp("second_night") / "here"))
    return cwd, run("--workers", 1, "--baseline", "baseline", cwd=cwd)


@pytest.fixture
def here(first_night, tmp_path):
    return Path(shutil.copytree(first_night, tmp_path / "here"))


@pytest.fixture
def after(second_night, tmp_path):
    """A directory with a baseline and the output of the next night."""
    return Path(shutil.copytree(second_night[0], tmp_path / "after"))


def verdicts(cwd):
    report = read(cwd / "output" / "report.json")
    return {entry["name"]: entry["verdict"] for entry in report["comparison"]["jobs"]}


def test_the_same_spec_again_is_unchanged_to_the_bit_and_green(second_night):
    here, done = second_night
    assert done.code == 0, done.out + done.err
    comparison = read(here / "output" / "report.json")["comparison"]
    assert verdicts(here) == {"prefix": "unchanged", "series": "unchanged"}
    for entry in comparison["jobs"]:
        assert (entry["lost_count"], entry["won_count"]) == (0, 0)
        assert all(metric["difference"] == 0 and metric["paired"] for metric in entry["metrics"])
        assert {metric["metric"] for metric in entry["metrics"]} == (
            {"rmse", "mae"} if entry["name"] == "series" else {"sequence_accuracy", "edit_rate"}
        )
    results = {entry["name"]: entry for entry in read(here / "output" / "report.json")["jobs"]}
    for entry in comparison["jobs"]:
        for metric in entry["metrics"]:
            assert metric["now"] == pytest.approx(
                results[entry["name"]]["metrics"][metric["metric"]], rel=1e-6
            )
    assert "Against the baseline baseline of 20" in done.out
    assert "## Against the baseline `baseline`" in (here / "output" / "report.md").read_text("utf-8")


def test_a_model_that_learned_less_is_a_regression(run_here, after):
    """Fewer examples: the problem is the same, and so is the test. `series` is that of the night before."""
    spec(after, examples=640)
    done = run_here("--workers", 1, "--baseline", "baseline", "--update-baseline", cwd=after)
    assert done.code == 3, done.out + done.err
    assert verdicts(after) == {"prefix": "regression", "series": "unchanged"}
    report = read(after / "output" / "report.json")
    assert report["verdict"]["reasons"][0].startswith(
        "job prefix is worse than its baseline: sequence_accuracy"
    )
    assert "not updated: the exit code is 3" in done.err
    entry = report["comparison"]["jobs"][0]
    assert entry["changes"] == [{"key": "training.examples", "before": 6400, "after": 640}]
    assert report["comparison"]["jobs"][1]["changes"] == []
    changed = "training.examples 6400 -> 640 (prefix)"
    assert changed in done.out
    assert all(changed in text_of(after, name) for name in ("report.md", "report.html"))
    assert len(entry["lost"]) == min(20, entry["lost_count"])
    assert entry["metrics"][0]["test"] == "exact McNemar"
    assert run_here("report", "output", cwd=after).code == 3
    assert read(after / "output" / "report.json") == report
    compared = run_here("compare", "baseline", "output", "--format", "json", cwd=after)
    assert compared.code == 3
    assert json.loads(compared.out) == report["comparison"]
    better = run_here("compare", "output", "baseline", "--format", "json", cwd=after)
    assert (better.code, json.loads(better.out)["jobs"][0]["verdict"]) == (0, "improvement")


def text_of(cwd, name):
    return html.unescape((cwd / "output" / name).read_text("utf-8")).replace("\\", "")


def nothing_was_trained(cwd):
    return not any((cwd / "output" / "jobs").iterdir()) if (cwd / "output").exists() else True


@pytest.mark.parametrize("path", ["gone", "gone.json", "old.json", "sales.csv", "empty"])
def test_a_missing_or_unreadable_baseline_is_exit_code_4_before_anything_is_trained(run_here, here, path):
    (here / "old.json").write_text('{"schema_version": 0}')
    (here / "empty").mkdir()
    done = run_here("--baseline", path, cwd=here)
    assert done.code == 4
    assert done.err.startswith(f"error: baseline {path} ")
    assert "Traceback" not in done.err
    assert nothing_was_trained(here)


def test_another_problem_of_the_same_name_is_exit_code_4_before_anything_is_trained(run_here, here):
    spec(here, length=4)
    done = run_here("--baseline", "baseline", cwd=here)
    assert done.code == 4
    reason = "its test examples are not those of the baseline: problem.source_length was 3 and is 4; give"
    assert done.err.startswith(f"error: job prefix cannot be compared: {reason}")
    assert nothing_was_trained(here)


def test_a_baseline_in_the_output_directory_is_refused(run_here, here):
    for path in ("baseline", "baseline/report.json"):
        done = run_here("--output-dir", "baseline", "--baseline", path, cwd=here)
        assert done.code == 4
        assert "lies in the output directory" in done.err


def test_update_needs_a_baseline_and_all_the_jobs(run_here, here):
    for options in (["--update-baseline"], ["--baseline", "baseline", "--shard", "1/2", "--update-baseline"]):
        done = run_here(*options, cwd=here)
        assert done.code == 2
        assert "--update-baseline" in done.err


def test_a_green_batch_becomes_the_next_baseline_when_asked(run_here, here):
    """Without `series`, which goes; the models stay where they are."""
    text = (here / "jobs.yaml").read_text()
    (here / "jobs.yaml").write_text(text[: text.index("  - name: series")].replace("units: 32", "units: 33"))
    before = read(here / "baseline" / "report.json")
    done = run_here("--baseline", "baseline", "--update-baseline", cwd=here)
    assert done.code == 0, done.out + done.err
    assert (
        verdicts(here) == {"prefix": "unchanged", "series": "removed"}
        or verdicts(here)["prefix"] == "improvement"
    )
    assert "baseline updated: baseline" in done.out
    after = read(here / "baseline" / "report.json")
    assert [entry["name"] for entry in after["jobs"]] == ["prefix"]
    assert after["jobs"][0]["fingerprint"] != before["jobs"][0]["fingerprint"]
    assert {path.name for path in (here / "baseline" / "jobs" / "prefix").iterdir()} == {
        "result.json",
        "predictions.jsonl",
    }
    assert (here / "baseline" / "superseded" / f"prefix-{before['jobs'][0]['fingerprint'][:8]}").is_dir()
    assert run_here("--baseline", "baseline", cwd=here).code == 0
    assert read(here / "output" / "report.json")["comparison"]["jobs"][0]["metrics"][0]["difference"] == 0
    assert run_here("report", "baseline", cwd=here).code == 0


def test_merged_shards_are_compared_with_the_baseline(run_here, after):
    """One shard with the baseline and one without: what was not compared does not pass silently."""
    (after / "output" / "report.json").unlink()
    assert run_here("--baseline", "baseline", "--shard", "1/2", cwd=after).code == 0
    assert run_here("--shard", "2/2", cwd=after).code == 0
    silent = run_here("report", "output", cwd=after)
    assert silent.code == 4
    assert "job series cannot be compared: the run that it was part of was given no baseline" in silent.out
    assert run_here("report", "output", "--baseline", "baseline", cwd=after).code == 0
    assert verdicts(after) == {"prefix": "unchanged", "series": "unchanged"}


PAIRS = """\
version: 1
jobs:
  - name: pairs
    problem:
      kind: text_pairs
      train: {{file: {train}}}
      validation: &held_out {{file: test.tsv}}
      test: *held_out
    model: {{units: 8, inputs: embedding, embedding_size: 8}}
    training: {{epochs: 1, batch_size: 32}}
    evaluation: {{decoder: {decoder}, examples: {examples}}}
    gate: {{baseline: {rule}, min_drop: 1}}
"""


def pairs_spec(cwd, train="train.tsv", decoder="greedy", rule="same_test", examples=200):
    text = PAIRS.format(train=train, decoder=decoder, rule=rule, examples=examples)
    (cwd / "jobs.yaml").write_text(text)


def test_more_training_data_is_compared_on_the_same_test(run_here, tmp_path):
    lines = [f"{i:04d}\t{i % 10:04d}\n" for i in range(400)]
    (tmp_path / "test.tsv").write_text("".join(lines[:100]))
    (tmp_path / "train.tsv").write_text("".join(lines[100:200]))
    (tmp_path / "more.tsv").write_text("".join(lines[100:]))
    pairs_spec(tmp_path)
    assert run_here("--output-dir", "baseline", cwd=tmp_path).code == 0
    pairs_spec(tmp_path, "more.tsv", "beam", examples=60)
    done = run_here("--baseline", "baseline", cwd=tmp_path)
    assert done.code == 0, done.out + done.err
    (entry,) = read(tmp_path / "output" / "report.json")["comparison"]["jobs"]
    assert entry["verdict"] == "unchanged"
    assert all(metric["paired"] and metric["examples"] == 60 for metric in entry["metrics"])
    pairs_spec(tmp_path, "more.tsv", rule="same_data")
    strict = run_here("--baseline", "baseline", "--output-dir", "strict", cwd=tmp_path)
    assert strict.code == 4
    assert "the baseline is of another problem: problem.train was" in strict.err
