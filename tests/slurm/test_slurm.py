"""The scripts of deploy/slurm on a real cluster of one node: a batch of eight jobs in an array of four."""

import csv
import json
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from one_node import wait_until
from slurm_environment import ROOT, variables

SCRIPTS = ROOT / "deploy" / "slurm"
DOCUMENT = (ROOT / "docs" / "clusters.md").read_text("utf-8")
SECTION = DOCUMENT.partition("\n## Slurm\n")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
SUBMIT, REQUEUE, AGAIN, REPORT = "".join(BLOCKS).splitlines()
"""Its commands, run here as they stand."""

# `long` is long enough to be met at work: the jobs of shards 1 and 2 of 4.
SPEC = """\
version: 1
seed: 3
defaults:
  model: {units: 16}
  training: {examples: 3200, batch_size: 32, optimizer: {learning_rate: 0.02}}
  evaluation: {examples: 200, validation_examples: 50}
jobs:
  - name: long
    matrix: {problem.source_length: [3, 4]}
    problem: {kind: reverse, cardinality: 8}
    training: {examples: 480000}
  - name: short
    matrix: {problem.source_length: [2, 3], problem.cardinality: [5, 6, 7]}
    problem: {kind: copy}
"""
NAMES = ["long-source_length-3", "long-source_length-4"] + [
    f"short-source_length-{length}-cardinality-{cardinality}"
    for length in (2, 3)
    for cardinality in (5, 6, 7)
]

SHARDS = [[NAMES[1]], [NAMES[0]], [NAMES[4], NAMES[5], NAMES[7]], [NAMES[2], NAMES[3], NAMES[6]]]
"""The longest job first, each to the shard with the least work; within a shard in the order of the plan."""


def read(path):
    return json.loads(path.read_text("utf-8"))


@dataclass(frozen=True)
class Batch:
    """What became of the array and its merge."""

    directory: Path
    shards: str
    merge: str
    stopped: dict

    @property
    def output(self):
        return self.directory / "output"

    def logs(self):
        return "\n".join(path.read_text() for path in sorted(self.directory.glob("*.log")))


@pytest.fixture(scope="module")
def environment(cluster, tmp_path_factory):
    return variables(cluster, tmp_path_factory.mktemp("bin"))


@pytest.fixture(scope="module")
def batch(cluster, environment, tmp_path_factory):
    """Submit, stop shards 1 and 2 in the midst of training, each in its own way, and wait for the merge.

    Shard 1 gets SIGTERM, ends and is requeued by hand; shard 2 the signal of a time limit that is near.
    """
    directory = tmp_path_factory.mktemp("batch")
    (directory / "jobs.yaml").write_text(SPEC)
    (directory / "deploy").symlink_to(ROOT / "deploy")
    said = cluster.call("bash", "-c", SUBMIT, cwd=directory, env=environment)
    shards, merge = re.fullmatch(r"shards: job (\d+)\nmerge: job (\d+)", said).groups()
    output = directory / "output"

    def stop(index, signal):
        wait_until(training(output, SHARDS[index - 1][0]), f"training in shard {index}", 120)
        cluster.signal(f"{shards}_{index}", signal)

    # Each at once when its shard trains: a signal may take three seconds, in which the other shard could end.
    with ThreadPoolExecutor() as pool:
        list(pool.map(stop, (1, 2), ("TERM", "USR1")))
    wait_until(lambda: cluster.state(f"{shards}_1") == "FAILED", "the end of shard 1", 60)
    stopped = {"fields": cluster.fields(f"{shards}_1"), "report": read(output / "report-1-of-4.json")}
    cluster.call("bash", "-c", REQUEUE.replace("JOB_2", f"{shards}_1"))
    wait_until(lambda: cluster.state(merge) not in ("PENDING", "RUNNING", "COMPLETING"), "the merge", 400)
    return Batch(directory, shards, merge, stopped)


def training(output, name):
    """Whether a job's training has begun: `spec.yaml` is written before it."""
    return (output / "jobs" / name / "spec.yaml").exists


@pytest.fixture(scope="module")
def unsharded(environment, tmp_path_factory):
    """The output directory of the same batch in one process."""
    directory = tmp_path_factory.mktemp("unsharded")
    (directory / "jobs.yaml").write_text(SPEC)
    command = [sys.executable, "-m", "job", "--workers", "2"]
    done = subprocess.run(
        command, cwd=directory, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return directory / "output"


def test_a_stopped_shard_says_so_and_has_saved_its_state(batch):
    assert batch.stopped["fields"]["ExitCode"] == "143:0"
    report = batch.stopped["report"]
    assert report["exit_code"] == 143
    assert [(entry["name"], entry["status"]) for entry in report["jobs"]] == [
        (name, "interrupted") for name in SHARDS[0]
    ]


def test_every_shard_ends_well_and_the_merge_with_the_batchs_exit_code(cluster, batch):
    fields = [cluster.fields(f"{batch.shards}_{index}") for index in range(1, 5)]
    assert [(task["JobState"], task["ExitCode"]) for task in fields] == [("COMPLETED", "0:0")] * 4
    assert [task["Restarts"] for task in fields] == ["1", "1", "0", "0"]
    merge = cluster.fields(batch.merge)
    assert (merge["JobState"], merge["ExitCode"]) == ("COMPLETED", "0:0"), batch.logs()


def test_a_shard_that_nears_its_time_limit_requeues_itself_and_goes_on(batch):
    log = (batch.directory / f"seq2seq-job-{batch.shards}_2.log").read_text()
    first, note, second = log.partition("the time limit is near and the state is saved; into the queue again")
    assert note
    assert "Exit code 143" in first
    assert "the batch was stopped by SIGUSR1" in first
    assert "Exit code 0" in second


def test_each_shard_did_its_part_and_no_other(batch):
    for index in range(1, 5):
        report = read(batch.output / f"report-{index}-of-4.json")
        assert [entry["name"] for entry in report["jobs"]] == SHARDS[index - 1]
        assert report["exit_code"] == 0
    assert [entry["name"] for entry in read(batch.output / "plan.json")["jobs"]] == NAMES


TIMES = {"timings", "peak_rss_bytes", "artifacts"}


def test_the_merged_report_is_that_of_an_unsharded_run_but_for_times(batch, unsharded):
    merged, whole = read(batch.output / "report.json"), read(unsharded / "report.json")
    for report in (merged, whole):
        assert report.pop("started_at") < report.pop("finished_at")
        for entry in report["jobs"]:
            assert all(entry.pop(key) for key in TIMES)
            assert entry.pop("speed_ranges") is not None
    resumed = [entry["data"].pop("resumed_from_step") for entry in merged["jobs"]]
    assert {entry["data"].pop("resumed_from_step") for entry in whole["jobs"]} == {None}
    assert resumed[2:] == [None] * 6
    assert merged == whole
    assert [entry["name"] for entry in merged["jobs"]] == NAMES
    assert merged["totals"]["passed"] == 8


def history(output, name):
    rows = [*csv.DictReader((output / "jobs" / name / "history.csv").read_text().splitlines())]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.mark.parametrize("name", NAMES)
def test_every_job_learned_and_predicts_the_same(batch, unsharded, name):
    files = [output / "jobs" / name / "predictions.jsonl" for output in (batch.output, unsharded)]
    assert files[0].read_bytes() == files[1].read_bytes()
    assert history(batch.output, name) == history(unsharded, name)
    assert not (batch.output / "jobs" / name / "checkpoint").exists()


def test_one_shard_is_done_again_alone(cluster, environment, batch, tmp_path):
    directory = Path(shutil.copytree(batch.directory, tmp_path / "again", symlinks=True))
    (name,), other = SHARDS[1], directory / "output" / "jobs" / NAMES[1] / "result.json"
    shutil.rmtree(directory / "output" / "jobs" / name)
    before = read(other)
    command = AGAIN.replace("sbatch ", "sbatch --wait --cpus-per-task=1 ", 1)
    cluster.call("bash", "-c", command, cwd=directory, env=environment, timeout=200)
    part = read(directory / "output" / "report-2-of-4.json")
    assert [(entry["name"], entry["reused"]) for entry in part["jobs"]] == [(name, False)]
    assert read(other) == before
    cluster.call("bash", "-c", REPORT, cwd=directory, env=environment)
    assert read(directory / "output" / "report.json")["totals"]["passed"] == 8


def test_a_shard_that_fails_fails_the_merge_and_who_waits_is_told(cluster, environment, tmp_path):
    """No job has a spec here: every shard ends with 2, and so does the merge, which finds no plan."""
    done = subprocess.run(
        [SCRIPTS / "submit.sh", "--wait", "gone.yaml", "output", "2", "--cpus-per-task=1"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    shards = re.search(r"shards: job (\d+)", done.stdout)[1]
    assert [cluster.fields(f"{shards}_{index}")["ExitCode"] for index in (1, 2)] == ["2:0", "2:0"]
    logs = "".join(path.read_text() for path in sorted(tmp_path.glob("*.log")))
    assert logs.count("error: gone.yaml") == 2
    assert "error: output holds no batch" in logs
