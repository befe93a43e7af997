"""The progress of a batch on a terminal."""

import io
import re
from dataclasses import replace

import pytest
from rich.console import Console
from sample_jobs import job_result

from job.batch.live_progress import LiveLog
from job.batch.progress import NEW
from job.results.job_result import Failure, Progress

STEP = Progress(step=50, steps=1000, loss=1.23456, token_accuracy=0.5, examples_per_second=12345.6)


@pytest.fixture
def clock(monkeypatch):
    """Time as the log reads it: set `clock[0]`."""
    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    return now


@pytest.fixture
def live():
    screen = io.StringIO()
    log = LiveLog(Console(file=screen, force_terminal=True, width=100))
    yield log, screen
    log.close()


def test_a_terminal_shows_a_bar_for_the_batch_and_each_running_job(live):
    log, screen = live
    log.begun(3)
    log.reused("old")
    log.started("tutorial")
    log.started("longer")
    log.advanced("tutorial", STEP)
    log._bars.refresh()
    shown = screen.getvalue()
    assert "longer" in shown
    assert "starting" in shown
    assert "50/1000" in shown
    assert "loss 1.2346  acc 50.0%  12,346/s" in shown
    log.tick()
    log._bars.refresh()
    assert "1/3 done  2 running  0 waiting" in screen.getvalue()


def test_a_terminal_shows_how_long_it_still_takes(clock):
    log = LiveLog(Console(file=io.StringIO(), force_terminal=True, width=100))
    log.begun(2)
    log.started("j")
    log.advanced("j", STEP)
    for clock[0], step in ((20.0, 200), (40.0, 350), (60.0, 500)):
        log.advanced("j", replace(STEP, step=step))
    clock[0] = 70.0
    log.tick()
    log.close()
    texts = {task.description: task.fields["text"] for task in log._bars.tasks}
    # half of the steps at 7.5 a second, ten seconds ago; and a whole job, with what comes before its steps
    assert texts["j"].endswith("/s  00:00:57 left")
    assert texts["batch"] == "0/2 done  1 running  1 waiting  00:03:12 left"


def show_one_job(clock, width, validation):
    """Return what a terminal shows of a long job among others, as its last lines."""
    screen = io.StringIO()
    log = LiveLog(Console(file=screen, force_terminal=True, width=width, no_color=True))
    names = [f"a-name-so-long-that-it-must-be-cut-source_length-10-units-{units}" for units in (128, 256)]
    log.begun(8, dict.fromkeys([*names, *"abcdef"], 1.0))
    log.started(names[1])
    for clock[0], step in ((1.0, 1), (2.0, 90), (3.0, 179), (4.0, 268)):
        scores = {"val_loss": 0.25, "val_token_accuracy": 0.875} if validation else {}
        log.advanced(names[1], Progress(step, 150000, 0.5, 1.0, 99999, validation=scores))
    log.tick()
    log._bars.refresh()
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).replace("\r", "\n")
    log.close()
    lines = shown.splitlines()
    return [[line for line in lines if sign in line][-1] for sign in ("batch  ", "/150000  ")]


@pytest.mark.parametrize(
    ("width", "name", "numbers", "numbers_validated"),
    [
        (
            80,
            "…10-units-256",
            "268/150000  loss 0.5000  acc 100.0%  00:28:02 left",
            "268/150000  loss 0.5000  val 87.5%  00:28:02 left",
        ),
        (
            100,
            "…length-10-units-256",
            "268/150000  loss 0.5000  acc 100.0%  99,999/s  00:28:02 left",
            "268/150000  loss 0.5000  acc 100.0%  val 87.5%  00:28:02 left",
        ),
        (
            140,
            "…it-must-be-cut-source_length-10-units-256",
            "268/150000  loss 0.5000  acc 100.0%  99,999/s  00:28:02 left",
            "268/150000  loss 0.5000  acc 100.0%  val 87.5%  99,999/s  00:28:02 left",
        ),
    ],
)
def test_a_line_has_a_bar_and_the_numbers_that_fit(clock, width, name, numbers, numbers_validated):
    for validation, expected in ((False, numbers), (True, numbers_validated)):
        batch, job = show_one_job(clock, width, validation)
        assert re.fullmatch(rf"{re.escape(name)} +[━╸╺ ]{{10,20}} {re.escape(expected)} *", job)
        assert len(job) <= width
        assert re.fullmatch(r"batch +[━╸╺ ]{10,20} 0/8 done  1 running  7 waiting  \S+ left *", batch)


def test_a_job_is_said_to_be_evaluated_after_its_last_step(live):
    log, screen = live
    log.started("j")
    log.advanced("j", replace(STEP, step=1000))
    log._bars.refresh()
    assert "1000/1000  evaluating" in screen.getvalue()


def test_a_terminal_keeps_a_line_for_a_finished_job_and_drops_its_bar(live):
    log, screen = live
    log.begun(1)
    log.started("tutorial")
    log.finished(job_result("tutorial", metrics={"sequence_accuracy": 1.0}))
    log.tick()
    assert "tutorial: trained, sequence accuracy 100.00 %" in screen.getvalue()
    assert [task.description for task in log._bars.tasks] == ["batch"]


def test_messages_are_shown_as_they_are_and_not_as_markup(live):
    log, screen = live
    log.started("j")
    log.finished(job_result("j", "failed", error=Failure("E", "[bold]brackets[/red] :bomb:")))
    assert "E: [bold]brackets[/red] :bomb:" in screen.getvalue()


def test_a_line_says_what_a_change_has_led_to_and_none_that_a_job_is_new(live):
    log, screen = live
    log.begun(2)
    log.planned("tutorial", "re-evaluate", "evaluation.decoder greedy -> beam")
    log.planned("new", "train", NEW)
    shown = screen.getvalue()
    assert "tutorial: re-evaluate: evaluation.decoder greedy -> beam" in shown
    assert "new: train" not in shown
