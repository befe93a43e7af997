"""`--on-end`: when the command runs, what it gets, and that it changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

import pytest
from recording import a_run, leave, right_and_wrong

import job
from job.process.stopping import Request, Stopped
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Verdict


@pytest.fixture
def batch(monkeypatch):
    """A batch that writes the reports of a verdict, or raises what it is told to."""
    from job.cli import run_and_log

    given = {"exit_code": 0, "reasons": (), "error": None}

    def run_batch(plan, output, directory, log, options):
        if given["error"] is not None:
            raise given["error"]
        now = datetime.now(timezone.utc)
        verdict = Verdict(given["exit_code"], given["reasons"])
        names = [planned.job.name for planned in plan]
        report = build_report([], started_at=now, finished_at=now, verdict=verdict, missing=names)
        write_reports(output, report)
        return report

    monkeypatch.setattr(run_and_log, "run_batch", run_batch)
    return given


def got(here):
    return json.loads((here / "got.json").read_text("utf-8"))


SAVE = "cat > got.json"


@pytest.mark.parametrize(
    ("exit_code", "verdict"), [(0, "passed"), (1, "failed"), (3, "worse"), (143, "interrupted")]
)
def test_it_gets_the_verdict_after_the_reports_are_written(command, batch, here, exit_code, verdict):
    batch.update(exit_code=exit_code, reasons=("a reason",) if exit_code else ())
    code, _, err = command("--on-end", f"test -s output/report.json && {SAVE}")
    message = got(here)
    assert code == message["exit_code"] == exit_code
    assert "warning" not in err
    assert (message["verdict"], message["reasons"]) == (verdict, ["a reason"] if exit_code else [])
    assert message["headline"].startswith(f"Exit code {exit_code}: ")
    assert message["counts"] == {"passed": 0, "gate_failed": 0, "failed": 0, "interrupted": 0, "missing": 3}
    assert [(each["name"], each["status"]) for each in message["jobs"]] == [
        ("tiny", "missing"),
        ("sums-digits-1", "missing"),
        ("sums-digits-2", "missing"),
    ]
    assert message["output"] == str(here / "output")
    assert message["reports"]["html"] == str(here / "output" / "report.html")
    assert set(message["reports"]) == {"html", "json", "markdown", "junit", "prometheus"}


def test_the_variable_is_the_option_and_the_command_does_not_see_it(command, batch, here, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_JOB_ON_END", f'{SAVE}; echo "x$SEQ2SEQ_JOB_ON_END" > variable')
    assert command()[0] == 0
    assert got(here)["exit_code"] == 0
    assert (here / "variable").read_text() == "x\n"


@pytest.mark.parametrize("exit_code", [0, 3])
def test_its_failure_is_one_line_and_changes_nothing(command, batch, exit_code):
    batch["exit_code"] = exit_code
    code, _, err = command("--on-end", "echo no route to host >&2; exit 9")
    assert code == exit_code
    expected = "warning: the command of --on-end ended with exit code 9: no route to host"
    assert [line for line in err.splitlines() if "on-end" in line] == [expected]


def test_a_shard_names_itself(command, batch, here):
    command("--shard", "1/2", "--on-end", SAVE)
    assert got(here)["shard"] == "1-of-2"
    assert got(here)["reports"]["json"].endswith("report-1-of-2.json")


# --- ends without a report ---------------------------------------------------------------------------------


def refused(command, here, *arguments):
    code, _, err = command(*arguments, "--on-end", SAVE)
    message = got(here)
    assert message["exit_code"] == code
    assert message["jobs"] == []
    return code, message, err


def test_a_wrong_spec(command, here):
    (here / "jobs.yaml").write_text("version: 1\njobs: []\n")
    code, message, _ = refused(command, here)
    assert (code, message["verdict"], message["reports"]) == (2, "refused", {})
    assert "jobs.yaml:2: jobs: must be a list" in message["reasons"][0]


def test_reports_of_the_error_are_named_where_they_replace_earlier_ones(command, batch, here):
    command()
    (here / "jobs.yaml").write_text("version: 1\njobs: []\n")
    _, message, _ = refused(command, here)
    assert message["reports"]["json"] == str(here / "output" / "report.json")


def test_a_missing_baseline(command, here):
    code, message, _ = refused(command, here, "--baseline", "gone")
    assert (code, message["verdict"]) == (4, "not_comparable")


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["--workers", "none"], ["--shard", "3/2"]])
def test_a_wrong_command_line(command, here, arguments):
    code, message, _ = refused(command, here, *arguments)
    assert (code, message["verdict"]) == (2, "refused")


def test_a_second_signal(command, batch, here):
    batch["error"] = Stopped(Request("SIGTERM", 143))
    code, message, _ = refused(command, here)
    assert (code, message["verdict"], message["reasons"]) == (143, "interrupted", ["stopped by SIGTERM"])


def test_a_bug(command, batch, here):
    batch["error"] = RuntimeError("oh")
    code, message, _ = refused(command, here)
    assert code == 1
    assert message["reasons"] == ["this is a bug of seq2seq-job: RuntimeError: oh"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["schema"]])
def test_what_is_no_batch_does_not_run_it(command, here, monkeypatch, arguments):
    monkeypatch.setenv("SEQ2SEQ_JOB_ON_END", SAVE)
    assert command(*arguments)[0] == 0
    assert not (here / "got.json").exists()


def test_an_empty_command_is_refused(command, batch):
    code, _, err = command("--on-end", " ")
    assert code == 2
    assert "--on-end: the command is empty" in err


def test_a_signal_while_the_spec_is_read(tmp_path):
    """A real process, which waits for a spec that never comes."""
    os.mkfifo(tmp_path / "jobs.yaml")
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables |= {"PYTHONPATH": str(Path(job.__file__).parents[1])}
    program = [sys.executable, "-m", "job", "--on-end", f"{SAVE}; touch done"]
    with (
        subprocess.Popen(program, cwd=tmp_path, env=variables, stderr=subprocess.PIPE) as process,
        open(tmp_path / "jobs.yaml", "w"),  # opens once the process has begun to read
    ):
        time.sleep(0.5)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    assert process.returncode == 143
    assert (tmp_path / "done").exists()
    assert got(tmp_path)["verdict"] == "interrupted"


# --- report ------------------------------------------------------------------------------------------------


def test_report_gives_the_verdict_of_the_whole_batch(command, here):
    leave(here / "output", [a_run("a", right_and_wrong(20, [3]))], plan=["a", "b"])
    code, _, _ = command("report", "output", "--on-end", SAVE)
    message = got(here)
    assert code == message["exit_code"] == 1
    assert [(each["name"], each["status"], each["reason"]) for each in message["jobs"]] == [
        ("a", "passed", ""),
        ("b", "missing", "the plan lists this job, but it has no result"),
    ]


def test_report_of_nothing_gives_the_reason(command, here):
    code, message, _ = refused(command, here, "report", "gone")
    assert (code, message["verdict"]) == (2, "refused")
    assert "gone" in message["reasons"][0]
