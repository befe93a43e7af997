"""The message about the end of a batch."""

from __future__ import annotations

import json
from dataclasses import replace

from recording import a_job

from job.reports.end_message import end_message
from job.results.batch_report import Verdict
from job.results.comparison_records import ChangedSetting, Comparison, JobComparison, MetricComparison
from job.results.job_result import Failure, GateOutcome
from job.storage.artifacts import OutputPaths

WORSE = MetricComparison(
    "sequence_accuracy",
    "exact McNemar",
    0.618,
    0.458,
    -0.16,
    0.001,
    0.002,
    0.01,
    0.005,
    100,
    True,
    "",
    "regression",
)
JOBS = (
    JobComparison("g2p", "regression", "worse", (WORSE,), changes=(ChangedSetting("training.epochs", 3, 1),)),
    JobComparison("slow", "regression", "train_examples_per_second is 10, 3.00 times slower than 30"),
    JobComparison("same", "unchanged", "", changes=()),
)


def test_jobs_have_short_reasons_and_regressions_are_in_words(make_report, tmp_path):
    failed = a_job("broken", status="failed", error=Failure("ValueError", "first line\nsecond"))
    gate = GateOutcome("sequence_accuracy", 0.9, 0.458, False)
    comparison = Comparison("base", "2026-07-01T02:00:00+00:00", None, JOBS, ("abc Halve",), 1)
    report = make_report(a_job("g2p", status="gate_failed", gates=(gate,)), failed, a_job("same"))
    report = replace(report, comparison=comparison, verdict=Verdict(1, ("one", "two")), exit_code=1)
    message = json.loads(end_message(OutputPaths(tmp_path), report, written=True, error=None).to_json())
    assert [(each["name"], each["status"], each["reason"]) for each in message["jobs"]] == [
        ("g2p", "gate_failed", "sequence_accuracy is 45.8 %, below its threshold of 90 %"),
        ("broken", "failed", "ValueError: first line"),
        ("same", "passed", ""),
    ]
    assert message["regressions"] == [
        "g2p: sequence accuracy 61.8 -> 45.8 % (-16.0), significant",
        "slow: train_examples_per_second is 10, 3.00 times slower than 30",
    ]
    assert message["changes"] == [
        "training.epochs 3 -> 1 (g2p)",
        "1 commit between the two, the newest first:",
        "abc Halve",
    ]
    assert message["reports"] == {}
    assert (message["exit_code"], message["reasons"]) == (1, ["one", "two"])


def test_a_long_reason_is_cut(make_report, tmp_path):
    failed = a_job("broken", status="failed", error=Failure("E", "x" * 250 + "\n"), gates=())
    many = replace(failed, error=None, gates=(GateOutcome("m" * 400, 1, None, False),))
    message = end_message(OutputPaths(tmp_path), make_report(many), written=True, error=None)
    (job,) = message.jobs
    assert len(job.reason) == 300
    assert job.reason.endswith("…")


def test_an_error_after_the_report_decides(make_report, tmp_path):
    message = end_message(OutputPaths(tmp_path), make_report(a_job("a")), written=True, error=(4, ["gone"]))
    assert (message.exit_code, message.verdict, message.headline) == (
        4,
        "not_comparable",
        "Exit code 4: gone",
    )
    assert [job.name for job in message.jobs] == ["a"]
