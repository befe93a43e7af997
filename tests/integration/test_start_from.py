"""`training.start_from`: jobs that start from the models of other jobs, by the whole command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from processes import checkpointed

import job
from job.models.earlier_weights import weights_of

SPEC = """\
version: 1
defaults:
  model: {units: 16}
  training: {examples: 640, batch_size: 32, optimizer: {learning_rate: 0.02}}
  evaluation: {examples: 40, validation_examples: 20}
jobs:
  - name: child
    seeds: [1, 2]
    problem: {kind: text_pairs, data: [{file: new.tsv, weight: 3}, {file: few.tsv, weight: 1}]}
    training: {start_from: parent, freeze: [encoder], examples: all}
  - name: parent
    seeds: [1, 2]
    problem: {kind: text_pairs, data: {file: old.tsv}, target_tokens: characters}
    training: {examples: all}
  - name: broken
    device: gpu
    problem: {kind: copy, source_length: 2, cardinality: 6}
  - name: orphan
    problem: {kind: copy, source_length: 2, cardinality: 6}
    training: {start_from: broken}
"""


def write_pairs(path, letters):
    words = [a + b + c for a in letters for b in letters for c in letters]
    path.write_text("".join(f"{word}\t{word[::-1]}\n" for word in words))


def run(directory, *arguments):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables["PYTHONPATH"] = str(Path(job.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "job", *arguments],
        cwd=directory, env=variables, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip


def result(directory, name, output="output"):
    return json.loads((directory / output / "jobs" / name / "result.json").read_text("utf-8"))


def weights(directory, name):
    return weights_of(keras.models.load_model(directory / "output" / "jobs" / name / "model" / "train.keras"))


def tokens(directory, name, side):
    file = directory / "output" / "jobs" / name / "model" / "vocabulary.json"
    return json.loads(file.read_text("utf-8"))[side]["tokens"]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    directory = tmp_path_factory.mktemp("start")
    write_pairs(directory / "old.tsv", "bcdefg")
    write_pairs(directory / "few.tsv", "bcde")
    write_pairs(directory / "new.tsv", "abcdez")
    (directory / "jobs.yaml").write_text(SPEC)
    return directory, run(directory, "--workers", "2")


def test_a_job_is_trained_after_the_one_it_starts_from(ran):
    directory, done = ran
    assert done.returncode == 1  # `broken` failed
    for seed in (1, 2):
        ended = [line for line in done.stderr.splitlines() if f"-seed-{seed}: " in line]
        order = [re.search(r"(parent|child)-seed-\d: (started|trained)", line) for line in ended]
        assert [found.groups() for found in order if found] == [
            ("parent", "started"), ("parent", "trained"), ("child", "started"), ("child", "trained"),
        ]  # fmt: skip
        assert result(directory, f"child-seed-{seed}")["status"] == "passed"


def test_old_and_new_data_are_mixed_by_their_weights(ran):
    """The report says what was drawn; the two runs draw by their own seeds."""
    directory, _ = ran
    drawn = []
    for seed in (1, 2):
        data = result(directory, f"child-seed-{seed}")["data"]
        new, old = data["mixture"]
        assert (new["files"], new["weight"], old["files"], old["weight"]) == (["new.tsv"], 3, ["few.tsv"], 1)
        assert new["pairs"] + old["pairs"] == data["pairs"]["train"] == data["train_examples"]
        assert new["drawn"] + old["drawn"] == data["train_examples"]
        # five standard deviations of a binomial distribution
        assert new["drawn"] / data["train_examples"] == pytest.approx(0.75, abs=5 * (0.1875 / 300) ** 0.5)
        assert set(data["files"]) == {"new.tsv", "few.tsv"}
        drawn.append(f"{new['drawn']} examples")
    report = (directory / "output" / "report.md").read_text("utf-8")
    assert len(set(drawn)) == 2
    assert all(count in report for count in drawn)


def test_a_failed_parent_fails_its_child_by_name(ran):
    directory, _ = ran
    assert result(directory, "broken")["status"] == "failed"
    error = result(directory, "orphan")["error"]
    assert error["message"] == "job broken, from whose model this one starts, failed; it was not trained"


@pytest.mark.parametrize("seed", [1, 2])
def test_frozen_weights_are_those_of_the_run_with_the_same_seed_row_by_token(ran, seed):
    directory, _ = ran
    parent, child = f"parent-seed-{seed}", f"child-seed-{seed}"
    old, new = weights(directory, parent), weights(directory, child)
    np.testing.assert_array_equal(
        old["encoder_1/cell/recurrent_kernel"], new["encoder_1/cell/recurrent_kernel"]
    )
    known, now = tokens(directory, parent, "source"), tokens(directory, child, "source")
    kernels = old["encoder_1/cell/kernel"], new["encoder_1/cell/kernel"]
    np.testing.assert_array_equal(kernels[0], kernels[1][: len(known)])
    assert now == tokens(directory, child, "target") == [*known, "a", "z"]
    assert not np.array_equal(old["decoder_1/cell/recurrent_kernel"], new["decoder_1/cell/recurrent_kernel"])


def test_the_tokens_of_the_parent_can_be_read_and_written(ran):
    """Those too that the child's data do not have; the result says that none is unknown."""
    directory, _ = ran
    found = result(directory, "child-seed-1")
    assert found["data"]["vocabulary"] == {"source": 12, "target": 12}
    assert found["data"]["unknown_tokens"] == {"source": 0, "target": 0, "predicted": 0}
    model = job.load(directory / "output" / "jobs" / "child-seed-1")
    (read,) = model.predict(["fgz"])
    assert model.source_tokens("fgz") == ("f", "g", "z")
    assert set(read.text) <= set("abcdefgz")


def test_a_second_run_skips_and_a_changed_parent_trains_both_again(ran, tmp_path):
    directory, _ = ran
    planned = run(directory, "plan").stdout
    assert re.search(r"child-seed-1\s+(problem\s+)?text_pairs\s+(classes\s+)?12, 12\s", planned)
    assert re.search(r"skip .*child-seed-1", planned)
    before, parent, rest = SPEC.partition("data: {file: old.tsv}")
    changed = before + parent + rest.replace("examples: all", "examples: all, epochs: 2", 1)
    assert changed != SPEC
    (directory / "changed.yaml").write_text(changed)
    planned = run(directory, "plan", "--spec", "changed.yaml").stdout
    assert re.search(r"train parent-seed-1.*: training.epochs 1 -> 2", planned)
    assert "train child-seed-1, child-seed-2: the model that it starts from, a data file" in planned


def test_a_child_alone_needs_a_finished_parent(ran):
    directory, _ = ran
    done = run(directory, "--only", "orphan", "--output-dir", "elsewhere")
    assert done.returncode == 2
    assert "job orphan starts from the model of broken" in done.stderr
    assert "add --only broken" in done.stderr
    assert not any((directory / "elsewhere" / "jobs").iterdir())


@pytest.mark.exhaustive
def test_nodes_of_a_queue_wait_for_the_parent_too(ran):
    directory, _ = ran
    only = ("--only", "parent-seed-1", "--only", "child-seed-1")
    done = run(directory, "--queue", "--workers", "2", "--output-dir", "queue", *only)
    assert done.returncode == 0, done.stderr
    for name in ("parent-seed-1", "child-seed-1"):
        files = [directory / out / "jobs" / name / "predictions.jsonl" for out in ("output", "queue")]
        assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.exhaustive
def test_a_directory_is_a_start_too_and_a_kill_changes_nothing(ran, tmp_path):
    """From the directory of a finished job, with mixed data: a job that is killed and resumed ends as one
    that is not."""
    directory, _ = ran
    write_pairs(tmp_path / "new.tsv", "abcdez")
    write_pairs(tmp_path / "old.tsv", "bcdefg")
    parent = directory / "output" / "jobs" / "parent-seed-1"
    name, training = "again", "training: {examples: all, epochs: 150, checkpoint_minutes: 0.001, "
    for output in ("whole", "killed"):
        (tmp_path / f"{output}.yaml").write_text(
            SPEC.partition("jobs:")[0] + f"jobs:\n  - name: {name}\n    problem: {{kind: text_pairs, "
            "data: [{file: new.tsv, weight: 0.8}, {file: old.tsv, weight: 0.2}]}\n"
            f"    {training}start_from: {parent}}}\n"
        )
    assert run(tmp_path, "--spec", "whole.yaml", "--output-dir", "whole").returncode == 0
    command = [sys.executable, "-m", "job", "--spec", "killed.yaml", "--output-dir", "killed"]
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    directory = tmp_path / "killed" / "jobs" / name
    with subprocess.Popen(command, cwd=tmp_path, env=variables, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not checkpointed(directory):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
    assert run(tmp_path, "--spec", "killed.yaml", "--output-dir", "killed").returncode == 0
    resumed = result(tmp_path, name, "killed")["data"]["resumed_from_step"]
    assert resumed
    files = [tmp_path / output / "jobs" / name / "predictions.jsonl" for output in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()
