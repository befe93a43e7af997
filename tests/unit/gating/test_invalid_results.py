"""Metrics and predictions that are missing or not finite numbers."""

import json
import math
from dataclasses import replace

import pytest
from comparing import compared
from recording import a_forecast, a_job, a_run, leave, right_and_wrong

from job.batch.recorded_comparison import compare_and_judge
from job.errors import BAD_BASELINE, GATE_FAILED, OK, BaselineError
from job.gating.batch_verdict import comparison_findings, conclude
from job.reports.markdown import comparison_markdown
from job.results.data_facts import DataFacts
from job.results.job_result import Failure

MANY = right_and_wrong(100, [1])


def rewritten(directory, change):
    """Change the report of a batch as a program that knows nothing of JSON's numbers would."""
    path = directory / "report.json"
    report = json.loads(path.read_text("utf-8"))
    change(report["jobs"][0])
    path.write_text(json.dumps(report), "utf-8")
    return directory


def without(job):
    del job["metrics"]["sequence_accuracy"]


def to(value):
    def change(job):
        job["metrics"]["sequence_accuracy"] = value

    return change


BROKEN = [without, to(None), to(math.nan), to(math.inf), to(-math.inf)]


@pytest.mark.parametrize("change", BROKEN)
def test_a_metric_that_the_candidate_lacks_is_a_regression(tmp_path, change):
    first = leave(tmp_path / "before", [a_run("a", MANY)])
    second = rewritten(leave(tmp_path / "now", [a_run("a", MANY)]), change)
    (job,) = compare_and_judge(first, second)[0].jobs
    assert job.verdict == "regression"
    assert job.reason == "sequence_accuracy was 0.99 and is missing or not a finite number now"
    assert conclude(comparison_findings([job])).exit_code == GATE_FAILED
    assert job.reason in comparison_markdown(compare_and_judge(first, second)[0]).replace("\\", "")


@pytest.mark.parametrize("change", BROKEN)
def test_a_metric_that_the_baseline_lacks_makes_a_job_not_comparable(tmp_path, change):
    first = rewritten(leave(tmp_path / "before", [a_run("a", MANY)]), change)
    second = leave(tmp_path / "now", [a_run("a", MANY)])
    (job,) = compare_and_judge(first, second)[0].jobs
    assert job.verdict == "not_comparable"
    assert job.reason == "the baseline has no finite sequence_accuracy or rmse of it; run its batch again"
    assert conclude(comparison_findings([job])).exit_code == BAD_BASELINE


@pytest.mark.parametrize("text", ["nan", "inf", "many", "", "1.0 2.0"])
def test_forecasts_that_are_not_numbers(tmp_path, text):
    fields = {"metrics": {"rmse": 1.0}}
    good = [a_forecast(n, 10.0, 10.5) for n in range(20)]
    bad = [*good[:-1], replace(good[-1], predicted=text)]
    (job,), code = compared(tmp_path, [a_run("a", good, **fields)], [a_run("a", bad, **fields)])
    assert (job.verdict, code) == ("regression", GATE_FAILED)
    assert job.reason == "prediction of example 19 is not as many finite numbers as its target"
    (tmp_path / "other").mkdir()
    (job,), code = compared(tmp_path / "other", [a_run("a", bad, **fields)], [a_run("a", good, **fields)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)


def test_forecasts_whose_squares_overflow_are_compared(tmp_path):
    fields = {"metrics": {"rmse": 1e200}}
    good, bad = ([a_forecast(n, 0.0, size * (1 + n / 100)) for n in range(20)] for size in (1e200, 3e200))
    (job,), code = compared(tmp_path, [a_run("a", good, **fields)], [a_run("a", bad, **fields)])
    assert (job.verdict, code) == ("regression", GATE_FAILED)
    assert job.metrics[0].now == pytest.approx(3 * job.metrics[0].before)


def test_a_job_that_failed_on_a_number_is_a_regression(tmp_path):
    error = Failure("ResultError", "rmse is not a finite number after training: lower the learning rate")
    (job,), code = compared(tmp_path, [a_run("a", MANY)], [(a_job("a", status="failed", error=error), None)])
    assert (job.verdict, code) == ("regression", GATE_FAILED)
    assert job.reason.startswith("the job failed: ResultError: rmse is not a finite number")


def test_counts_that_are_not_known_are_not_comparable(tmp_path):
    (job,), code = compared(
        tmp_path, [(a_job("a", MANY), None)], [(a_job("a", MANY, data=DataFacts()), None)]
    )
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)


def test_a_number_elsewhere_that_is_not_finite_makes_a_report_unreadable(tmp_path):
    first = rewritten(
        leave(tmp_path / "before", [a_run("a", MANY)]), lambda job: job.update(history={"loss": [math.nan]})
    )
    with pytest.raises(BaselineError, match=r"jobs\[0\]\.history\.loss\[0\] is not a finite number"):
        compare_and_judge(first, leave(tmp_path / "now", [a_run("a", MANY)]))


def test_a_valid_unchanged_batch_passes(tmp_path):
    jobs, code = compared(tmp_path, [a_run("a", MANY)], [a_run("a", MANY)])
    assert ([job.verdict for job in jobs], code) == (["unchanged"], OK)
