"""The shards of deploy/kubernetes as its pods run them: all at once, into one directory; and their merge."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from in_process import run_in

import job

MANIFESTS = Path(__file__).parents[2] / "deploy" / "kubernetes"

SPEC = """\
version: 1
defaults:
  model: {units: 8}
  training: {examples: 640, batch_size: 32}
  evaluation: {examples: 50, validation_examples: 20}
jobs:
  - name: copy
    matrix: {problem.source_length: [1, 2]}
    problem: {kind: copy, cardinality: 5}
"""
NAMES = [f"copy-source_length-{length}" for length in (1, 2)]


def container(file):
    manifest = yaml.safe_load((MANIFESTS / file).read_text())
    return manifest["spec"]["template"]["spec"]["containers"][0]


def start(arguments, cwd, **variables):
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    return subprocess.Popen(
        [sys.executable, "-m", "job", *arguments],
        cwd=cwd,
        env={**ours, "PYTHONPATH": str(Path(job.__file__).parents[1]), **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def moved(arguments, cwd):
    """Put a pod's mounts below a directory of this machine."""
    places = {"/spec/jobs.yaml": "jobs.yaml", "/output": "output"}
    return [str(cwd / places[argument]) if argument in places else argument for argument in arguments]


@pytest.fixture(scope="module")
def pods(tmp_path_factory):
    """Four shards of two jobs: the directory, and how each shard ended."""
    cwd = tmp_path_factory.mktemp("pods")
    (cwd / "jobs.yaml").write_text(SPEC)
    program = container("base/job.yaml")
    variables = {
        variable["name"]: variable["value"] for variable in program["env"] if variable["name"] != "HOME"
    }
    assert variables == {"JOB_COMPLETIONS": "4"}
    running = [
        start(moved(program["args"], cwd), cwd, **variables, JOB_COMPLETION_INDEX=str(index))
        for index in range(4)
    ]
    return cwd, [finish(process) for process in running]


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_every_shard_does_its_part_beside_the_others(pods):
    cwd, ends = pods
    assert [code for code, _, _ in ends] == [0, 0, 0, 0], ends
    for index in range(4):
        part = read(cwd / "output" / f"report-{index + 1}-of-4.json")
        # the job that takes longest goes to the first shard
        assert [entry["name"] for entry in part["jobs"]] == NAMES[::-1][index : index + 1]
    assert [entry["name"] for entry in read(cwd / "output" / "plan.json")["jobs"]] == NAMES


def test_a_shard_without_jobs_passes(pods):
    _, ends = pods
    for code, out, err in ends[2:]:
        assert code == 0
        assert "started" not in err
        assert "Exit code 0" in out


def test_the_merge_job_reports_on_all_of_them(pods, tmp_path):
    cwd = Path(shutil.copytree(pods[0], tmp_path / "pods"))
    code, _, err = finish(start(moved(container("merge/merge.yaml")["args"], cwd), cwd))
    assert code == 0, err
    merged = read(cwd / "output" / "report.json")
    assert [entry["name"] for entry in merged["jobs"]] == NAMES
    assert [entry["reused"] for entry in merged["jobs"]] == [False] * 2
    assert merged["totals"]["passed"] == 2
    parts = [read(cwd / "output" / f"report-{index}-of-4.json") for index in (1, 2)]
    assert merged["started_at"] == min(part["started_at"] for part in parts)
    assert merged["finished_at"] == max(part["finished_at"] for part in parts)


def test_shards_with_directories_of_their_own_are_merged_into_another(pods, tmp_path):
    """What a CI system hands on: a directory of each shard with its own jobs."""
    for index, name in enumerate(NAMES, start=1):
        shutil.copytree(pods[0] / "output" / "jobs" / name, tmp_path / f"shard-{index}" / "jobs" / name)
        for file in ("plan.json", f"report-{index}-of-4.json"):
            shutil.copy(pods[0] / "output" / file, tmp_path / f"shard-{index}")
    folders = ["shard-1", "shard-2"]
    assert run_in(tmp_path, "report", folders[0], "--output-dir", "some").code == 1
    assert read(tmp_path / "some" / "report.json")["missing"] == NAMES[1:]
    done = run_in(tmp_path, "report", *folders, "--output-dir", "all")
    assert done.code == 0, done.err
    assert "2 jobs: 2 trained" in done.out
    assert (tmp_path / "all" / "jobs" / NAMES[1] / "model" / "train.keras").exists()
    plan = tmp_path / "shard-2" / "plan.json"
    plan.write_text(plan.read_text().replace(read(plan)["jobs"][0]["fingerprint"], "0" * 64))
    done = run_in(tmp_path, "report", *folders)
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert done.err.startswith("error: shard-1 and shard-2 are of different specs: job copy-source_length-1 ")


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"JOB_COMPLETION_INDEX": "1"}, "JOB_COMPLETIONS is not set"),
        ({"JOB_COMPLETION_INDEX": "4", "JOB_COMPLETIONS": "4"}, "expected a shard from 1 to 4, found 5"),
        ({}, "none of the variables of Kubernetes"),
    ],
)
def test_an_environment_that_makes_no_sense_writes_nothing(tmp_path, variables, sentence):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    ours = {name: "" for name in os.environ if name.startswith(("CI_", "CIRCLE_", "BUILDKITE_", "SLURM_"))}
    code, _, err = finish(start(["--shard", "auto"], tmp_path, **ours, **variables))
    assert code == 2
    assert err.startswith("error: --shard auto: ")
    assert sentence in err
    assert [path.name for path in tmp_path.iterdir()] == ["jobs.yaml"]
