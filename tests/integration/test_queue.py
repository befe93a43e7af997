"""Nodes of one batch: one is killed, one is suspended until another has taken its job over."""

import os
import signal

import pytest
from in_process import run_in
from processes import checkpointed, children, ended, kill, outcome, read, start, wait_until

SPEC = """\
version: 1
seed: 5
defaults:
  model: {units: 16}
  training: {examples: 6400, epochs: 2, batch_size: 16, checkpoint_minutes: 0.005}
  evaluation: {examples: 100, validation_examples: 50}
jobs:
  - name: prefix
    problem: {kind: reversed_prefix, source_length: 3, target_length: 2, cardinality: 6}
    gate: {min_sequence_accuracy: 1.0}
  - name: sums
    problem: {kind: addition, digits: 1}
    model: {cell: gru}
  - name: copy
    problem: {kind: copy, source_length: 3, cardinality: 6}
"""
NAMES = ("prefix", "sums", "copy")


@pytest.fixture
def node(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    started = []

    def run(output, *options):
        started.append(start("--workers", 1, "--output-dir", output, *options, cwd=tmp_path))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            resume(process)
            kill(process)


def suspend(process):
    for pid in (process.pid, *children(process.pid)):
        os.kill(pid, signal.SIGSTOP)


def resume(process):
    for pid in (process.pid, *children(process.pid)):
        os.kill(pid, signal.SIGCONT)


def leases(output):
    """The node of each lease, by job and number."""
    return {path.name: read(path)["node"] for path in output.glob("queue/1/leases/[!.]*")}


def job_of(process, output):
    """The job of which a node has the first lease."""
    nodes = {read(path)["pid"]: path.stem for path in output.glob("queue/1/nodes/[!.]*")}
    return next(job for job, node in leases(output).items() if node == nodes[process.pid]).partition(".")[0]


def test_jobs_of_a_killed_and_of_a_suspended_node_are_taken_over(node, tmp_path):
    output = tmp_path / "output"
    nodes = [node("output", "--queue", "--lease-seconds", 2) for _ in range(3)]
    killed, suspended, healthy = nodes
    wait_until(lambda: len(leases(output)) == 3, healthy)
    taken = {process: job_of(process, output) for process in nodes}
    assert sorted(taken.values()) == sorted(NAMES)
    for process in (suspended, killed):
        wait_until(lambda: checkpointed(output / "jobs" / taken[process]), process)  # noqa: B023
        suspend(process)
    assert ended(killed, signal.SIGKILL)[0] == -signal.SIGKILL
    wait_until(lambda: f"{taken[suspended]}.2" in leases(output), healthy)
    resume(suspended)
    codes = {process: ended(process) for process in (suspended, healthy)}
    expected = run_in(tmp_path, "--workers", 1, "--output-dir", "whole").code
    assert expected in (0, 3)
    assert [code for code, _ in codes.values()] == [expected, expected], codes
    assert "another machine has taken the job over" in codes[suspended][1]
    assert f"{taken[killed]}.2" in leases(output)
    for name in NAMES:
        assert outcome(output / "jobs" / name) == outcome(tmp_path / "whole" / "jobs" / name)
    report = read(output / "report.json")
    assert [entry["name"] for entry in report["jobs"]] == [*NAMES]
    assert [entry["reused"] for entry in report["jobs"]] == [False] * 3
    assert report["verdict"] == read(tmp_path / "whole" / "report.json")["verdict"]
    assert not [*output.glob("jobs/*/progress.json")]
    written = [path.stat().st_mtime_ns for path in sorted(output.glob("jobs/*/result.json"))]
    assert run_in(tmp_path, "--output-dir", "output", "--queue").code == expected
    assert [path.stat().st_mtime_ns for path in sorted(output.glob("jobs/*/result.json"))] == written
