import json
import re
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import pytest
from sample_jobs import job_result

from job.batch import progress
from job.batch.progress import EVENTS, Log, duration
from job.batch.progress_text import describe_progress
from job.reports.report_files import build_report
from job.results.batch_report import SetAside, Verdict
from job.results.job_result import Failure, Progress
from job.results.validation_result import ValidationResult

STEP = Progress(step=50, steps=1000, loss=1.23456, token_accuracy=0.5, examples_per_second=12345.6)
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"


def text_log():
    lines = []
    return Log(lines.append), lines


def machine_log():
    lines = []
    return Log(lambda line: lines.append(json.loads(line)), machine=True), lines


def said(line):
    """Return a line without its time."""
    match = re.fullmatch(f"{TIME} (.*)", line)
    assert match, line
    return match[1]


# --- plain lines --------------------------------------------------------------------------------------------


def test_a_job_has_a_line_when_it_starts_and_one_when_it_ends():
    log, lines = text_log()
    log.started("tutorial")
    log.advanced("tutorial", STEP)
    validation = ValidationResult(examples=8, metrics={"sequence_accuracy": 0.875, "edit_rate": 0.1})
    log.finished(job_result("tutorial", metrics={"sequence_accuracy": 0.9995}, validation=validation))
    assert [said(line) for line in lines] == [
        "tutorial: started",
        "tutorial: trained, sequence accuracy 99.95 %, validation sequence accuracy 87.50 %",
    ]


@pytest.mark.parametrize(
    ("result", "line"),
    [
        (
            job_result("j", "gate_failed", metrics={"sequence_accuracy": 0.5}),
            "j: gate failed, sequence accuracy 50.00 %",
        ),
        (job_result("j", "failed", error=Failure("E", "first\nsecond")), "j: failed: E: first"),
        (job_result("j", "interrupted"), "j: interrupted"),
        (
            job_result("j", "interrupted", error=Failure("Interrupted", "stopped by SIGTERM")),
            "j: interrupted: stopped by SIGTERM",
        ),
    ],
)
def test_the_end_of_a_job_is_one_line_however_it_ended(result, line):
    log, lines = text_log()
    log.started("j")
    log.finished(result)
    assert said(lines[-1]) == line


def test_a_job_that_was_done_before_says_so():
    log, lines = text_log()
    log.reused("tutorial")
    assert [said(line) for line in lines] == ["tutorial: skip: nothing that decides its result has changed"]


@pytest.fixture
def clock(monkeypatch):
    """Time as the log reads it: set `clock[0]`."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


def test_progress_of_the_batch_and_its_running_jobs_is_logged_at_intervals(clock):
    log, lines = text_log()
    log.begun(4)
    log.reused("z")
    log.started("a")
    log.started("b")
    log.advanced("a", STEP)
    for seconds in (1, progress.LINE_SECONDS - 0.1):
        clock[0] = seconds
        log.tick()
    assert len(lines) == 4
    clock[0] = progress.LINE_SECONDS
    log.tick()
    # nothing is known of b yet, nor how fast a is
    assert [said(line) for line in lines[4:]] == [
        f"a: {describe_progress(STEP)}",
        "batch: 1 of 4 jobs done, 2 running, 1 waiting",
    ]
    log.tick()
    assert len(lines) == 6
    log.finished(job_result("b", "failed"))
    for clock[0], step in ((40.0, 350), (50.0, 425), (60.0, 500)):
        log.advanced("a", replace(STEP, step=step, validation={"val_loss": 0.5, "val_token_accuracy": 0.75}))
    assert clock[0] == 2 * progress.LINE_SECONDS
    log.tick()
    assert [said(line) for line in lines[7:]] == [
        f"a: {describe_progress(replace(STEP, step=500))}, validation loss 0.5000, "
        "validation token accuracy 75.00%, 00:01:07 left",
        "batch: 2 of 4 jobs done (1 failed), 1 running, 1 waiting, 00:03:22 left",
    ]
    log.finished(job_result("a"))
    clock[0] = 3 * progress.LINE_SECONDS
    log.tick()
    assert [said(line) for line in lines[10:]] == [
        "batch: 3 of 4 jobs done (1 failed), 1 waiting, 00:01:00 left"
    ]


def test_the_batch_says_how_it_began_and_ended(clock, tmp_path):
    log, lines = text_log()
    log.begun(1)
    clock[0] = 100.0
    log.ended(a_report(exit_code=1), tmp_path / "report.json")
    assert [said(line) for line in lines] == [
        "batch: 1 job",
        "batch: Exit code 1: at least one job failed, after 2 min",
    ]


def a_report(exit_code=0):
    now = datetime.now(timezone.utc)
    return build_report(
        [job_result("j")], started_at=now, finished_at=now, verdict=Verdict(exit_code, ("because",))
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "1 s"), (89.4, "89 s"), (90, "2 min"), (1830, "30 min"), (5400, "1.5 h"), (90000, "25.0 h")],
)
def test_durations_are_given_in_the_unit_that_fits(seconds, text):
    assert duration(seconds) == text


def test_describe_progress():
    assert describe_progress(STEP) == "step 50/1000, loss 1.2346, token accuracy 50.00%, 12,346 examples/s"


# --- lines for machines -------------------------------------------------------------------------------------


def test_lines_for_machines_are_json_objects_with_the_listed_keys(clock, tmp_path):
    log, lines = machine_log()
    log.begun(3)
    log.reused("k", action="re-judge", reason="gate.alpha 1 -> 2")
    log.planned("j", "train", "it has no result yet")
    log.set_aside(SetAside("j", "it is damaged", "superseded/j-1"))
    log.started("j")
    log.retried("j", Failure("WorkerLost", "killed\nlog"))
    log.started("j")
    log.advanced("j", STEP)
    for clock[0], step in ((10.0, 70), (20.0, 90), (progress.LINE_SECONDS, 110)):
        scores = {"val_loss": 0.5}
        log.advanced("j", replace(STEP, step=step, token_accuracy=None, epochs=1, validation=scores))
    log.tick()
    log.finished(job_result("j", "gate_failed", metrics={"sequence_accuracy": 0.5}, error=Failure("E", "no")))
    log.ended(a_report(), tmp_path / "report.json")
    assert all(re.fullmatch(TIME, line.pop("time")) for line in lines)
    assert lines == [
        {"event": "begun", "jobs": 3},
        {"event": "reused", "job": "k", "note": "", "action": "re-judge", "reason": "gate.alpha 1 -> 2"},
        {"event": "planned", "job": "j", "action": "train", "reason": "it has no result yet"},
        {"event": "set_aside", "job": "j", "reason": "it is damaged", "place": "superseded/j-1"},
        {"event": "started", "job": "j"},
        {"event": "retried", "job": "j", "error": "WorkerLost: killed"},
        {"event": "started", "job": "j"},
        {
            "event": "progress",
            "job": "j",
            "step": 110,
            "steps": 1000,
            "loss": 1.23456,
            "token_accuracy": None,
            "examples_per_second": 12345.6,
            "epoch": 0,
            "epochs": 1,
            "validation": {"val_loss": 0.5},
            "seconds_left": 445.0,
        },
        {
            "event": "batch",
            "jobs": 3,
            "done": 1,
            "failed": 0,
            "running": 1,
            "elsewhere": 0,
            "waiting": 1,
            "seconds_left": 947.0,
        },
        {
            "event": "finished",
            "job": "j",
            "status": "gate_failed",
            "judged": False,
            "metrics": {"sequence_accuracy": 0.5},
            "error": "E: no",
        },
        {
            "event": "ended",
            "exit_code": 0,
            "totals": {"passed": 1, "gate_failed": 0, "failed": 0, "interrupted": 0, "missing": 0},
            "seconds": 30.0,
            "report": str(tmp_path / "report.json"),
        },
    ]
    assert {line["event"]: {*line} - {"event"} for line in lines} == {
        event: {*keys} for event, keys in EVENTS.items()
    }


def test_the_documented_fields_are_those_of_the_events():
    text = (Path(__file__).parents[3] / "docs" / "clusters.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| (.*?) \|$", text, re.MULTILINE)
    documented = {event: tuple(re.findall(r"`(\w+)`", fields)) for event, fields in rows}
    assert {event: fields for event, fields in documented.items() if event in EVENTS} == EVENTS
