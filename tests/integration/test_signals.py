"""The real command, asked to stop: as a container's first process; twice; while another wants its place."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from in_process import run_in
from processes import checkpointed, children, ended, kill, read, running, start, steps_taken, wait_until

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")

SPEC = """\
version: 1
jobs:
  - name: endless
    problem: {kind: copy, source_length: 4, cardinality: 20}
    training: {examples: 1000000000}
  - name: waiting
    problem: {kind: copy, source_length: 2, cardinality: 6}
"""


@pytest.fixture
def command(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC)
    started = []

    def run(*arguments, before=()):
        started.append(start(*arguments, cwd=tmp_path, before=before))
        return started[-1]

    yield run
    for process in started:
        if process.poll() is None:
            kill(process)


def first_process():
    """What makes a command the first process of a name space of its own, as a container does; or nothing."""
    unshare = [shutil.which("unshare") or "", "--fork", "--pid", "--kill-child", "--mount-proc"]
    try:
        subprocess.run([*unshare, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return unshare


def test_sigterm_saves_the_state_of_what_runs_and_ends_the_batch_soon(command, tmp_path):
    before = first_process()
    output = tmp_path / "output"
    process = command("--workers", 1, before=before)
    wait_until(lambda: steps_taken(output / "jobs" / "endless"), process)
    batch = children(process.pid)[0] if before else process.pid
    workers = children(batch)
    second = command("--workers", 1, before=before)
    code, said = ended(second)
    assert code == 2
    assert said.startswith("error: output directory output is in use by another batch (process ")
    began = time.monotonic()
    os.kill(batch, signal.SIGTERM)
    code, said = ended(process)
    assert time.monotonic() - began < 10
    assert code == 143
    assert "Traceback" not in said
    assert "run the same command again to resume it" in said
    report = read(output / "report.json")
    assert (report["exit_code"], report["totals"]["interrupted"], report["missing"]) == (143, 2, [])
    assert [(job["name"], job["status"]) for job in report["jobs"]] == [
        ("endless", "interrupted"),
        ("waiting", "interrupted"),
    ]
    assert read(output / "jobs" / "endless" / "result.json")["status"] == "interrupted"
    assert not (output / "jobs" / "waiting" / "result.json").exists()
    assert checkpointed(output / "jobs" / "endless") > 0
    assert len(workers) == 1
    assert not running(workers[0])
    plan = json.loads(run_in(tmp_path, "plan", "--format", "json").out)
    assert [(job["name"], job["action"]) for job in plan["jobs"]] == [
        ("endless", "resume"),
        ("waiting", "train"),
    ]


def test_a_second_signal_ends_it_at_once(command, tmp_path):
    process = command("--workers", 2)
    wait_until(lambda: len([*tmp_path.rglob("job.log")]) == 2, process)  # both workers are at a job
    workers = children(process.pid)
    os.kill(workers[0], signal.SIGSTOP)  # one that cannot answer
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    assert process.poll() is None
    began = time.monotonic()
    code, said = ended(process, signal.SIGINT)
    assert time.monotonic() - began < 5
    assert code == 130
    assert said.endswith("error: stopped by SIGINT\n")
    assert not any(map(running, workers))
