"""The command `status`."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sample_jobs import job_result

import job
from job.batch import status_display
from job.gating.plan_file import PlanEntry, write_entries
from job.results.job_result import Failure
from job.storage.artifacts import prepare_output


@pytest.fixture
def batch(here):
    output = prepare_output(here / "output")
    write_entries(output, [PlanEntry(name, "f" * 64) for name in ("second", "first")])
    output.job("second").directory.mkdir()
    failed = job_result("second", "failed", error=Failure("OSError", "\x1b[31mno space\nleft"))
    output.job("second").result.write_text(failed.to_json())
    return output


def test_status_shows_each_job_and_why_one_failed(command, batch):
    code, out, err = command("status", "output")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines[2:4]] == [["second", "failed"], ["first", "waiting"]]
    assert lines[4].startswith("second: OSError: ")
    assert "\x1b" not in out
    assert lines[-1] == "batch: 1 of 2 jobs ended (1 failed), 1 waiting"


def test_status_for_machines_is_one_document(command, batch):
    code, out, err = command("status", "output", "--format", "json")
    assert (code, err) == (0, "")
    jobs = json.loads(out)["jobs"]
    assert [(entry["name"], entry["state"]) for entry in jobs] == [("second", "failed"), ("first", "waiting")]


def test_watching_ends_with_the_batch(command, batch, monkeypatch):
    def sleep(seconds):
        batch.job("first").directory.mkdir()
        batch.job("first").result.write_text(job_result("first").to_json())

    monkeypatch.setattr(status_display.time, "sleep", sleep)
    code, out, _ = command("status", "output", "--watch")
    assert code == 0
    assert [line for line in out.splitlines() if line.startswith("batch:")] == [
        "batch: 1 of 2 jobs ended (1 failed), 1 waiting",
        "batch: 2 of 2 jobs ended (1 failed)",
    ]


def test_watching_ends_if_nothing_has_run_for_a_while(command, batch, monkeypatch):
    monkeypatch.setattr(status_display, "LOST_SECONDS", -1.0)
    assert command("status", "output", "--watch", "--format", "json")[0] == 0


def test_watching_can_be_stopped(batch, here):
    variables = {**os.environ, "PYTHONPATH": str(Path(job.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-m", "job", "status", "output", "--watch"],
        cwd=here,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not process.stdout.readline().startswith("batch:"):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [("nowhere",), ("output", "--format", "yaml")])
def test_what_cannot_be_shown_is_exit_code_2(command, batch, arguments):
    code, out, err = command("status", *arguments)
    assert (code, out) == (2, "")
    assert "nowhere holds no batch" in err or "expected one of text, json" in err
