"""A batch with stand-in workers: what lies on the disk at its end."""

import errno
import json
import os
import shutil
import signal
import xml.etree.ElementTree as ET

import pytest
from sample_jobs import job_spec

from job.batch.batch_options import BatchOptions
from job.batch.planning import make_plan
from job.batch.progress import Log
from job.batch.run_batch import run_batch
from job.process import stopping
from job.process.stopping import Stop, Stopped
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec
from job.spec.schema import Spec
from job.storage import artifacts


@pytest.fixture
def batch(output, stand_in):
    """Run a batch of jobs by name; returns its report."""

    def run(*jobs, log=None, workers=1, **options):
        specs = tuple(job if not isinstance(job, str) else job_spec(job) for job in jobs)
        plan = make_plan(Spec(path=output.root / "jobs.yaml", jobs=specs), output)
        log = log or Log(lambda line: None)
        stop = options.pop("stop", None) or Stop()
        batch_options = BatchOptions(workers=workers, stop=stop, **options)
        with stop.handling_signals():
            return run_batch(plan, output, output.root, log, batch_options)

    return run


def recorded(output, name):
    return JobResult.from_json(output.job(name).result.read_bytes())


def test_every_job_leaves_its_files_and_the_batch_its_reports(batch, output):
    report = batch("fine-1", "fine-2")
    assert report.exit_code == 0
    assert report.totals == {"passed": 2, "gate_failed": 0, "failed": 0, "interrupted": 0, "missing": 0}
    assert Report.from_json(output.report.read_bytes()) == report
    assert "fine-1" in output.markdown.read_text("utf-8")
    assert ET.parse(output.junit).getroot() is not None
    for name in ("fine-1", "fine-2"):
        result = recorded(output, name)
        assert result == next(job for job in report.jobs if job.name == name)
        listed = {artifact.path for artifact in result.artifacts}
        assert listed == {"history.csv", "curves.svg"}
        assert ET.parse(output.job(name).curves).getroot().tag.endswith("svg")


def test_gates_are_judged_on_metrics_and_timings(batch, output):
    clears = job_spec("fine-1", gate=GateSpec(min_sequence_accuracy=0.5, max_train_seconds=1.0))
    misses = job_spec("fine-2", gate=GateSpec(min_sequence_accuracy=0.51))
    unmeasured = job_spec("fine-3", gate=GateSpec(min_token_accuracy=0.0))
    report = batch(clears, misses, unmeasured)
    assert [result.status for result in report.jobs] == ["passed", "gate_failed", "gate_failed"]
    assert report.exit_code == 3
    assert [outcome.passed for outcome in recorded(output, "fine-1").gates] == [True, True]


def test_one_failed_job_is_recorded_and_does_not_stop_the_others(batch, output):
    gated = job_spec("fine-2", gate=GateSpec(min_sequence_accuracy=0.9))
    report = batch("fine-1", "raises", gated, "killed", "fine-3")
    assert [result.status for result in report.jobs] == [
        "passed",
        "failed",
        "gate_failed",
        "failed",
        "passed",
    ]
    assert report.exit_code == 1
    failed = recorded(output, "raises")
    assert failed.error.summary == "ValueError: first line"
    assert failed.error.traceback_file == "job.log"
    assert failed.environment["versions"]["tensorflow"]
    assert "job raises failed: ValueError: first line" in report.verdict.reasons


def test_a_result_that_cannot_be_written_fails_its_job_alone(batch, output):
    report = batch("fine-1", "nan", "fine-2")
    assert [result.status for result in report.jobs] == ["passed", "failed", "passed"]
    assert report.exit_code == 1
    assert report.verdict.reasons[0].startswith("job nan failed: ValueError: Out of range float values")
    assert recorded(output, "nan").error.traceback_file == "job.log"
    assert "Traceback" in output.job("nan").log.read_text("utf-8")


def test_jobs_done_before_are_not_run_again_and_are_marked(batch, output, stand_in):
    first = batch("fine-1", "fine-2")
    said = []
    again = batch("fine-1", "fine-2", log=Log(said.append))
    assert len(stand_in) == 1
    *lines, last = [line.partition(" ")[2] for line in said]
    assert lines == [
        "batch: 2 jobs",
        "fine-1: skip: nothing that decides its result has changed",
        "fine-2: skip: nothing that decides its result has changed",
    ]
    assert last.startswith("batch: Exit code 0: every job trained; no job has gates, after ")
    assert [result.reused for result in first.jobs] == [False, False]
    assert [result.reused for result in again.jobs] == [True, True]
    assert again.exit_code == 0
    assert again.totals == first.totals


def test_only_what_failed_is_tried_again(batch, output, stand_in):
    batch("fine", "raises")
    again = batch("fine", "raises")
    assert [(result.name, result.reused) for result in again.jobs] == [("fine", True), ("raises", False)]
    assert again.exit_code == 1
    assert not output.superseded.exists()


def test_fresh_trains_finished_jobs_again_and_sets_their_results_aside(batch, output):
    (first,) = batch("fine").jobs
    (again,) = batch("fine", fresh=True).jobs
    assert not again.reused
    assert again.environment["pid"] != first.environment["pid"]
    (aside,) = output.superseded.iterdir()
    assert JobResult.from_json((aside / "result.json").read_bytes()) == first


def test_fail_fast_leaves_the_rest_without_a_result(batch, output):
    report = batch("raises", "fine", fail_fast=True)
    assert report.exit_code == 1
    assert report.missing == ("fine",)
    assert report.totals["missing"] == 1
    assert "job fine has no result" in report.verdict.reasons
    assert not output.job("fine").result.exists()


def test_fail_fast_saves_the_state_of_what_runs_and_says_so(batch, output):
    report = batch("waits", "raises", "fine", workers=2, fail_fast=True)
    assert report.exit_code == 1
    assert {job.name: job.status for job in report.jobs} == {"waits": "interrupted", "raises": "failed"}
    assert report.missing == ("fine",)
    message = JobResult.from_json(output.job("waits").result.read_bytes()).error.message
    assert message == "stopped because another job failed (--fail-fast); run the batch again to resume it"
    assert not output.job("waits").progress.exists()


class Signalling(Log):
    """Sends this process a signal as soon as the job `waits` is under way."""

    def __init__(self, number):
        super().__init__(lambda line: None)
        self._number = number

    def advanced(self, name, step):
        if name == "waits":
            os.kill(os.getpid(), self._number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_stops_the_batch_and_keeps_what_is_known(batch, output, stand_in, number, code):
    handlers = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)]
    report = batch("fine-1", "waits", "fine-2", log=Signalling(number))
    assert report.exit_code == code
    assert report.totals == {"passed": 1, "gate_failed": 0, "failed": 0, "interrupted": 2, "missing": 0}
    how = f"Interrupted: stopped by {number.name}"
    assert recorded(output, "waits").error.summary == f"{how}; run the batch again to resume it"
    never_begun = report.jobs[-1]
    assert never_begun.error.summary == f"{how} before it was started; run the batch again to resume it"
    assert not output.job("fine-2").result.exists()
    assert report.verdict.reasons[0].startswith(f"the batch was stopped by {number.name}; run the same")
    assert json.loads(output.report.read_text())["exit_code"] == code
    assert [worker.process.poll() for worker in stand_in] == [0]
    assert [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_slurms_early_signal_and_the_time_limit_are_like_sigterm(batch, output):
    report = batch("waits", log=Signalling(signal.SIGUSR1))
    assert (report.exit_code, report.totals["interrupted"]) == (143, 1)
    report = batch("waits", stop=Stop(limit_seconds=1.0))
    assert (report.exit_code, report.totals["interrupted"]) == (143, 1)
    assert recorded(output, "waits").error.summary.startswith("Interrupted: stopped by the time limit; ")


def test_a_second_signal_ends_the_batch_at_once(batch, output, stand_in, monkeypatch):
    monkeypatch.setattr(stopping, "DUPLICATE_SIGNAL_SECONDS", 0.0)

    class Twice(Signalling):
        def advanced(self, name, step):
            super().advanced(name, step)
            super().advanced(name, step)

    with pytest.raises(Stopped) as caught:
        batch("fine", "waits", log=Twice(signal.SIGINT))
    assert caught.value.request.exit_code == 130
    assert [worker.process.poll() for worker in stand_in] == [-signal.SIGKILL]
    assert recorded(output, "fine").status == "passed"
    assert not output.report.exists()


def test_a_signal_that_comes_by_two_ways_is_one(batch, output):
    class Twice(Signalling):
        def advanced(self, name, step):
            super().advanced(name, step)
            super().advanced(name, step)

    report = batch("waits", log=Twice(signal.SIGTERM))
    assert (report.exit_code, recorded(output, "waits").status) == (143, "interrupted")


def test_a_signal_that_comes_when_all_is_done_changes_nothing(batch, output):
    class Late(Log):
        def finished(self, result):
            os.kill(os.getpid(), signal.SIGTERM)

    report = batch("fine", log=Late(lambda line: None))
    assert report.exit_code == 0


def test_a_finished_jobs_checkpoints_are_removed_and_those_of_others_stay(batch, output):
    for name in ("fine", "raises", "old"):
        output.job(name).checkpoint.mkdir(parents=True)
    batch("fine", "raises")
    assert not output.job("fine").checkpoint.exists()
    assert output.job("raises").checkpoint.exists()
    output.job("fine").checkpoint.mkdir()  # as when it was killed in between
    batch("fine")
    assert not output.job("fine").checkpoint.exists()


def test_a_lost_worker_is_reported_and_the_attempts_are_recorded(batch, output):
    said = []
    report = batch("once", "killed", log=Log(said.append))
    assert [(result.status, result.attempts) for result in report.jobs] == [("passed", 2), ("failed", 2)]
    assert recorded(output, "once").attempts == 2
    how = "WorkerLost: the worker process was killed by SIGKILL (out of memory?); it is retried"
    assert [line.partition(" ")[2] for line in said if "retried" in line] == [
        f"{name}: {how}" for name in ("once", "killed")
    ]
    assert "\nattempt 1: WorkerLost: " in output.job("once").log.read_text()


# --- a directory that goes wrong ----------------------------------------------------------------------------


def whole_files(output):
    """Check that every JSON file that is there can be read; return the names of all files."""
    for path in output.root.rglob("*.json"):
        json.loads(path.read_text())
    return {path.relative_to(output.root).as_posix() for path in output.root.rglob("*") if path.is_file()}


def test_an_output_directory_that_is_removed_midway_ends_the_batch(batch, output, stand_in):
    class Removing(Log):
        def advanced(self, name, step):
            if name == "waits-1":
                shutil.rmtree(output.root)
                os.kill(stand_in[0].process.pid, signal.SIGKILL)

    with pytest.raises(FileNotFoundError):
        batch(job_spec("waits-1", retries=0), "fine", log=Removing(lambda line: None))
    assert not output.root.exists()
    assert [worker.process.poll() for worker in stand_in] == [-signal.SIGKILL]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS], ids=["full", "read_only"])
def test_a_disk_that_is_full_or_read_only_midway_ends_the_batch(batch, output, monkeypatch, number):
    class Filling(Log):
        def finished(self, result):
            def refuse(descriptor):
                raise OSError(number, os.strerror(number))

            monkeypatch.setattr(os, "fsync", refuse)

    with pytest.raises(OSError, match=os.strerror(number)):
        batch("fine-1", "fine-2", "fine-3", log=Filling(lambda line: None))
    monkeypatch.undo()
    files = whole_files(output)
    assert "jobs/fine-1/result.json" in files
    assert not {"jobs/fine-2/result.json", "jobs/fine-3/result.json", "report.json"} & files
    assert not [name for name in files if artifacts.TEMPORARY in name]


def test_a_stopped_batch_goes_on_where_it_stopped(batch, output):
    batch("fine-1", "waits", log=Signalling(signal.SIGTERM))
    again = batch("fine-1", "waits", log=Signalling(signal.SIGTERM))
    assert [(result.name, result.status, result.reused) for result in again.jobs] == [
        ("fine-1", "passed", True),
        ("waits", "interrupted", False),
    ]


@pytest.mark.parametrize(("workers", "started"), [(1, 1), (2, 2), (8, 3)])
def test_no_more_workers_are_started_than_there_are_jobs(batch, stand_in, workers, started):
    batch("fine-1", "fine-2", "fine-3", workers=workers)
    assert len(stand_in) == started
