import io
import json
import re

import pytest
from rich.console import Console
from sample_jobs import job_result

from job.batch import progress
from job.batch.progress import LiveLog, Log, describe
from job.results import Failure, Progress

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
    log.finished(job_result("tutorial", metrics={"sequence_accuracy": 0.9995}))
    assert [said(line) for line in lines] == [
        "tutorial: started",
        "tutorial: passed, sequence accuracy 99.95 %",
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
    assert [said(line) for line in lines] == ["tutorial: already done, not trained again"]


def test_running_jobs_say_how_far_they_are_now_and_then(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    log, lines = text_log()
    log.started("a")
    log.started("b")
    log.advanced("a", STEP)
    for seconds in (1, progress.LINE_SECONDS - 0.1):
        now[0] = seconds
        log.tick()
    assert len(lines) == 2
    now[0] = progress.LINE_SECONDS
    log.tick()
    assert [said(line) for line in lines[2:]] == [f"a: {describe(STEP)}"]  # b has nothing to say yet
    log.tick()
    assert len(lines) == 3
    log.finished(job_result("a"))
    now[0] = 2 * progress.LINE_SECONDS
    log.tick()
    assert len(lines) == 4  # the line that a is finished; it is not running any more


def test_describe():
    assert describe(STEP) == "step 50/1000, loss 1.2346, token accuracy 50.00%, 12,346 examples/s"


# --- lines for machines -------------------------------------------------------------------------------------


def test_lines_for_machines_are_json_objects(monkeypatch):
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    log, lines = machine_log()
    log.started("j")
    log.advanced("j", STEP)
    log.tick()
    log.finished(job_result("j", "gate_failed", metrics={"sequence_accuracy": 0.5}))
    log.reused("k")
    assert all(re.fullmatch(TIME, line.pop("time")) for line in lines)
    assert lines == [
        {"event": "started", "job": "j"},
        {
            "event": "progress",
            "job": "j",
            "step": 50,
            "steps": 1000,
            "loss": 1.23456,
            "token_accuracy": 0.5,
            "examples_per_second": 12345.6,
        },
        {"event": "finished", "job": "j", "status": "gate_failed", "metrics": {"sequence_accuracy": 0.5}},
        {"event": "reused", "job": "k"},
    ]


# --- a terminal ---------------------------------------------------------------------------------------------


@pytest.fixture
def live():
    screen = io.StringIO()
    log = LiveLog(Console(file=screen, force_terminal=True, width=100))
    yield log, screen
    log.close()


def test_a_terminal_shows_a_bar_for_each_running_job(live):
    log, screen = live
    log.started("tutorial")
    log.started("longer")
    log.advanced("tutorial", STEP)
    log._bars.refresh()
    shown = screen.getvalue()
    assert "longer" in shown
    assert "starting" in shown
    assert "50/1000" in shown
    assert "loss 1.2346  acc 50.0%  12,346/s" in shown


def test_a_terminal_keeps_a_line_for_a_finished_job_and_drops_its_bar(live):
    log, screen = live
    log.started("tutorial")
    log.finished(job_result("tutorial", metrics={"sequence_accuracy": 1.0}))
    log.tick()
    assert "tutorial: passed, sequence accuracy 100.00 %" in screen.getvalue()
    assert log._bars.tasks == []


def test_messages_are_shown_as_they_are_and_not_as_markup(live):
    log, screen = live
    log.started("j")
    log.finished(job_result("j", "failed", error=Failure("E", "[bold]brackets[/red] :bomb:")))
    assert "E: [bold]brackets[/red] :bomb:" in screen.getvalue()
