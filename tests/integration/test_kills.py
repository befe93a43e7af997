"""A batch that is killed again and again ends with what an unbroken one gives.

`benchmarks/kill_points.py` kills one at many random points.
"""

import os
import signal
import time
from pathlib import Path

import pytest
from in_process import run_in
from processes import checkpointed, children, ended, kill, outcome, read, running, start, wait_until

SPEC = """\
version: 1
seed: 5
defaults:
  model: {units: 16}
  training: {examples: 12800, epochs: 3, batch_size: 16, checkpoint_minutes: 0.001}
  evaluation: {examples: 100, validation_examples: 50}
jobs:
  - name: prefix
    problem: {kind: reversed_prefix, source_length: 3, target_length: 2, cardinality: 6}
    model: {dropout: 0.1, inputs: embedding, embedding_size: 8}
    training: {epochs: 6}  # it begins earlier than the other, and must still train with it
  - name: sums
    problem: {kind: addition, digits: 1}
    model: {cell: gru}
    training: {early_stopping: {metric: token_accuracy, patience: 2}}
"""
NAMES = ("prefix", "sums")

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")


@pytest.fixture
def batch(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    started = []

    def run(output):
        started.append(start("--workers", 2, "--output-dir", output, cwd=tmp_path))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            kill(process)


def test_a_batch_killed_three_times_is_an_unbroken_batch(batch, tmp_path):
    whole = run_in(tmp_path, "--workers", 2, "--output-dir", "whole")
    assert whole.code == 0, whole.err
    jobs = tmp_path / "broken" / "jobs"
    reached = kill_everything_in_training(batch("broken"), jobs)
    reached = kill_one_worker_and_then_the_parent_as_it_evaluates(batch("broken"), jobs, reached)
    code, said = ended(batch("broken"))
    assert code == 0, said
    resumed = {name: read(jobs / name / "result.json")["data"]["resumed_from_step"] for name in NAMES}
    assert all(resumed[name] >= reached[name] > 0 for name in NAMES)
    for name in NAMES:
        assert outcome(jobs / name) == outcome(tmp_path / "whole" / "jobs" / name)
        assert not (jobs / name / "checkpoint").exists()


def kill_everything_in_training(process, jobs):
    """Kill the parent alone, as the kernel does when memory runs out: its workers end with it."""
    wait_until(lambda: all(checkpointed(jobs / name) for name in NAMES), process)
    workers = children(process.pid)
    assert len(workers) == 2
    assert ended(process, signal.SIGKILL)[0] == -signal.SIGKILL
    deadline = time.monotonic() + 2
    while any(map(running, workers)):
        assert time.monotonic() < deadline
    assert not any((jobs / name / "result.json").exists() for name in NAMES)
    return {name: checkpointed(jobs / name) for name in NAMES}


def kill_one_worker_and_then_the_parent_as_it_evaluates(process, jobs, before):
    wait_until(lambda: any(checkpointed(jobs / name) > before[name] for name in NAMES), process)
    killed = children(process.pid)[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: len(set(children(process.pid)) - {killed}) == 2, process)
    wait_until(lambda: any((jobs / name / "model").exists() for name in NAMES), process)
    assert ended(process, signal.SIGKILL)[0] == -signal.SIGKILL
    return {name: max(before[name], 1) for name in NAMES}
