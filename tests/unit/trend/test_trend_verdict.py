"""Whether a trend is green, amber or red, and what `trend --fail-on-change` leaves with."""

import re
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from in_process import run_in_process

from job.reports.report_files import build_report
from job.reports.what_changed import NOTHING_CHANGED
from job.results.batch_report import Verdict
from job.results.job_result import GateOutcome, JobResult
from job.trend.metric_series import all_series
from job.trend.runs import Run, read_runs
from job.trend.trend_page import trend_page
from job.trend.trend_verdict import judge_trend

START = datetime(2026, 3, 1, 1, 0, tzinfo=timezone.utc)
GOOD = [0.951, 0.949, 0.950]
DROPS = [0.16, 0.25, 0.20, 0.18, 0.22, 0.24]


def a_job(accuracy, name="tutorial", **fields):
    given = {"metrics": {"sequence_accuracy": accuracy}, "problem_fingerprint": "p", "status": "passed"}
    return JobResult(name=name, fingerprint="f" * 64, seed=7, spec={}, **{**given, **fields})


@pytest.fixture
def leave(tmp_path):
    """Leave the report of one night after the other: each its jobs, or an accuracy, and its exit code."""

    def nights(*batches):
        for number, (given, code) in enumerate(batches):
            jobs = [a_job(given)] if isinstance(given, float) else given
            at = START + timedelta(days=number)
            verdict = Verdict(code, ("job tutorial failed its gate",) if code == 3 else ())
            report = build_report(jobs, started_at=at, finished_at=at, verdict=verdict)
            place = tmp_path / "nights" / f"{number:02d}"
            place.mkdir(parents=True)
            (place / "report.json").write_text(report.to_json())
        return tmp_path / "nights"

    return nights


def judged(place):
    runs, skipped = read_runs([str(place)])
    return judge_trend(runs, all_series(runs), skipped)


def page(place):
    runs, skipped = read_runs([str(place)])
    return trend_page(runs, all_series(runs), skipped)


@pytest.fixture
def trend(tmp_path, monkeypatch, capsys):
    """Run `trend`; returns its exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        return run_in_process("trend", *arguments), *capsys.readouterr()

    return run


def test_what_changed_before_the_first_bad_run_is_listed(leave):
    versions = [{"versions": {"keras": version}} for version in ("3.15.0", "3.15.1")]
    before, now = ([a_job(0.95, environment=each)] for each in versions)
    verdict = judged(leave((before, 0), (before, 0), (now, 3), (now, 3)))
    assert verdict.bad_runs == (2, 3)
    assert "changed from run 2 to run 3: versions.keras 3.15.0 -> 3.15.1" in verdict.details


def test_a_bad_run_before_which_nothing_changed_says_so(leave):
    (detail,) = [line for line in judged(leave((0.95, 0), (0.95, 3))).details if "changed" in line]
    assert detail == f"changed from run 1 to run 2: {NOTHING_CHANGED}"


def test_before_the_first_run_nothing_can_have_changed(leave):
    assert not any("changed" in line for line in judged(leave((0.95, 3), (0.95, 3))).details)


# --- red ----------------------------------------------------------------------------------------------------


def test_six_nights_far_below_with_exit_code_3_are_red(leave, trend):
    place = leave(*((value, 0) for value in GOOD), *((0.95 - drop, 3) for drop in DROPS))
    code, out, _ = trend(place, "--fail-on-change")
    assert code == 3
    assert "no bad run" not in out
    assert "first bad run: 4 of 9" in out
    assert "exit code 3, job tutorial failed its gate" in out
    assert "6 of 9 runs are bad (4, 5, 6, 7, 8, 9); so is the last one" in out
    html = page(place)
    assert '<header class="verdict bad">' in html
    assert '<th scope="row">4, bad</th>' in html


def test_without_the_option_the_exit_code_is_0(leave, trend):
    assert trend(leave((0.9, 0), (0.5, 3)))[0] == 0


def test_the_option_may_come_from_the_environment(leave, trend, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_JOB_FAIL_ON_CHANGE", "1")
    assert trend(leave((0.9, 0), (0.5, 3)))[0] == 3


@pytest.mark.parametrize("code", [1, 2, 3, 4])
def test_any_failed_run_of_the_window_is_red_though_metrics_are_well(leave, code):
    found = judged(leave(*[(0.95, 0)] * 5, (0.95, code), *[(0.95, 0)] * 5))
    assert found.outlook == "bad"
    assert found.headline.startswith("first bad run: 6 of 11")
    assert "1 of 11 runs is bad (6); the last 5 runs ended well" in found.details
    assert found.exit_code == 3


def test_a_failed_gate_behind_exit_code_0_is_red(leave):
    gate = GateOutcome("sequence_accuracy", 0.99, 0.5, False)
    found = judged(leave((0.95, 0), ([a_job(0.5, status="gate_failed", gates=(gate,))], 0)))
    assert found.outlook == "bad"
    assert "exit code 0 is recorded, but job tutorial failed its gate" in found.headline


def test_a_proven_change_for_the_worse_is_red_though_every_run_ended_well(leave, trend):
    place = leave(*((0.95 + 0.001 * (i % 3), 0) for i in range(12)), *((0.80, 0) for _ in range(8)))
    code, out, _ = trend(place, "--fail-on-change")
    assert code == 3
    assert out.splitlines()[-2].startswith("first bad run: 13 of 20")


@pytest.mark.parametrize(
    ("levels", "first"),
    [
        ([0.95, 0.75, 0.78], 13),  # a small recovery does not make a large drop good
        ([0.950, 0.947, 0.944], 25),  # two steps that are each too small to count
        ([0.90, 0.75, 0.96, 0.94], 37),
    ],
)
def test_a_change_is_made_good_only_by_coming_back(leave, levels, first):
    found = judged(leave(*((level, 0) for level in levels for _ in range(12))))
    assert found.outlook == "bad"
    assert found.headline.startswith(f"first bad run: {first} of {12 * len(levels)}")


# --- amber --------------------------------------------------------------------------------------------------


def test_the_same_nights_with_exit_code_0_are_not_green(leave):
    found = judged(leave(*((value, 0) for value in GOOD), *((0.95 - drop, 0) for drop in DROPS)))
    assert found.outlook != "good"
    assert "sequence accuracy of tutorial" in found.headline


@pytest.mark.parametrize(
    "values", [(0.95, 0.79), (0.95, 0.95, 0.79), (*GOOD, 0.79, 0.70), (0.95,) * 12 + (0.90,)]
)
def test_a_drop_in_too_few_runs_is_amber_and_says_so(leave, trend, values):
    place = leave(*((value, 0) for value in values))
    code, out, _ = trend(place, "--fail-on-change")
    assert code == 0
    assert "no bad run" not in out
    assert re.search("not proven: sequence accuracy of tutorial may be worse .* too few to tell", out)
    assert '<header class="verdict unproven">' in page(place)


@pytest.mark.parametrize("code", [129, 130, 143])
def test_an_interrupted_run_is_amber(leave, code):
    interrupted = replace(a_job(0.95), status="interrupted", metrics={})
    found = judged(leave((0.95, 0), ([interrupted], code)))
    assert (found.outlook, found.exit_code) == ("unproven", 0)
    assert found.headline == f"not proven: run 2 of 2 was interrupted, exit code {code}"


def test_a_failed_job_of_an_interrupted_run_is_red(leave):
    failed = replace(a_job(0.95), status="failed", metrics={})
    assert judged(leave((0.95, 0), ([failed], 143))).outlook == "bad"


def test_a_report_that_cannot_be_read_is_amber_and_counted(leave, trend):
    place = leave(*[(0.95, 0)] * 3)
    (place / "01" / "report.json").write_text("{")
    code, out, err = trend(place)
    assert code == 0
    assert "left out: 1 report, cannot be read" in out
    assert "not proven: 1 report cannot be read" in out
    assert "warning: " in err
    assert str(place / "01" / "report.json") in page(place)


# --- green --------------------------------------------------------------------------------------------------


def test_green_where_no_run_failed_and_nothing_got_worse(leave, trend):
    place = leave(*((value, 0) for value in [*GOOD, *GOOD, 0.97]))
    code, out, _ = trend(place, "--fail-on-change")
    assert code == 0
    assert "no bad run: no metric of the test got worse for good over 7 runs" in out
    assert '<header class="verdict good">' in page(place)


def test_copies_of_a_report_are_one_run_and_counted(leave, trend):
    place = leave(*[(0.95, 0)] * 3)
    for copy in "abc":
        (place / copy).mkdir()
        (place / copy / "report.json").write_bytes((place / "02" / "report.json").read_bytes())
    _, out, err = trend(place)
    assert "over 3 runs" in out
    assert "left out: 3 reports, of a run that another report is of" in out
    assert f"left out: it is of the same run as {place / '02' / 'report.json'}" in err


def test_noise_alone_is_rarely_amber_and_hardly_ever_red():
    draw = np.random.default_rng(1)
    found = []
    for _ in range(100):
        values = 0.9 + 0.01 * draw.standard_normal(20)
        runs = []
        for number, value in enumerate(values):
            at = START + timedelta(days=number)
            job, good = a_job(float(value)), Verdict(0, ())
            report = build_report([job], started_at=at, finished_at=at, verdict=good)
            runs.append(Run(Path(f"{number}"), report))
        found.append(judge_trend(runs, all_series(runs)).outlook)
    assert found.count("bad") <= 3
    assert found.count("unproven") <= 10


# --- what does not count ------------------------------------------------------------------------------------


def test_runs_that_add_nothing_to_a_job_are_counted_by_reason(leave, trend):
    failed = replace(a_job(0.9), status="failed", metrics={})
    place = leave(
        ([a_job(0.5, problem_fingerprint="q")], 0),
        (0.95, 0),
        ([a_job(0.95, reused=True)], 0),
        ([failed], 1),
        ([a_job(0.95, name="other")], 0),
        (0.95, 0),
    )
    line = (
        "tutorial: 4 of 6 runs do not count for it: 1 of another problem under its name, 1 that "
        "reused an earlier result, 1 in which it failed, 1 without this job"
    )
    assert line in trend(place)[1]
    assert line in page(place)


@pytest.mark.parametrize("columns", [None, "40", "60"])
def test_names_are_whole_in_narrow_places(leave, trend, monkeypatch, columns):
    names = [f"longer-source_length-10-units-{units}-seed-{seed}" for units in (128, 256) for seed in (1, 2)]
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    out = trend(leave(*[([a_job(0.95, name=name) for name in names], 0)] * 3))[1]
    for name in names:
        assert sum(re.match(rf"{name}(\s|$)", line) is not None for line in out.splitlines()) == 1
