"""Comparisons that could not show a total loss, and numbers that are missing or not finite."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
from recording import a_forecast, a_job, leave, right_and_wrong

from job.batch.baseline import compare_recorded
from job.cli import app as cli
from job.errors import BAD_BASELINE, GATE_FAILED, OK, BaselineError
from job.gating.batch_verdict import comparison_findings, conclude
from job.gating.comparison_verdicts import judge_together
from job.gating.merged_comparisons import merge_comparisons
from job.gating.metric_tests import metric_comparison
from job.gating.significance_tests import mcnemar, two_proportions
from job.reports.comparison_tables import against_markdown
from job.results.records import Comparison, Failure, JobComparison
from job.spec.gate_section import GateSpec


def compared(tmp_path, before, now):
    """Compare jobs called a, b and so on; each side is a list of (result, predictions)."""
    first, second = leave(tmp_path / "before", before), leave(tmp_path / "now", now)
    found = compare_recorded(first, second)
    return found.jobs, conclude(comparison_findings(found.jobs)).exit_code


def of(name, predictions, **fields):
    return a_job(name, predictions, **fields), predictions


# --- too few examples ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "code"), [(1, BAD_BASELINE), (7, BAD_BASELINE), (8, GATE_FAILED)])
def test_few_examples_are_not_comparable_until_a_total_loss_would_show(tmp_path, count, code):
    """Two tests (accuracy and edit rate) share an alpha of 0.01: 2 / 2**8 is less."""
    (job,), found = compared(
        tmp_path, [of("a", right_and_wrong(count, []))], [of("a", right_and_wrong(count, range(count)))]
    )
    assert found == code
    assert job.verdict == ("not_comparable" if code == BAD_BASELINE else "regression")
    if code == BAD_BASELINE:
        some = "1 test example" if count == 1 else "7 test examples"
        assert job.reason.startswith(f"on {some} even a total loss could be chance (exact McNemar: p ")
        assert job.reason.endswith("at least 8 test examples are needed (evaluation.examples)")
        assert job.metrics[0].change == "unchanged"


def test_what_is_unchanged_on_too_few_examples_is_not_comparable_either(tmp_path):
    (job,), code = compared(tmp_path, [of("a", right_and_wrong(3, []))], [of("a", right_and_wrong(3, []))])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)


def test_jobs_that_are_compared_together_need_more_examples(tmp_path):
    names = ("a", "b", "c")
    jobs, _ = compared(
        tmp_path,
        [of(name, right_and_wrong(9, [])) for name in names],
        [of(name, right_and_wrong(9, [])) for name in names],
    )
    assert [job.verdict for job in jobs] == ["not_comparable", "unchanged", "unchanged"]
    assert "at least 10 test examples" in jobs[0].reason


def test_a_job_of_too_few_examples_takes_no_alpha_from_the_others(tmp_path):
    few, many = right_and_wrong(1, []), right_and_wrong(8, [])
    names = ("a", "b", "c")
    before = [*(of(name, few) for name in names), of("d", many)]
    jobs, code = compared(tmp_path, before, [*before[:3], of("d", right_and_wrong(8, range(8)))])
    assert [job.verdict for job in jobs] == ["not_comparable"] * 3 + ["regression"]
    assert jobs[3].metrics[0].adjusted_p_value == pytest.approx(2 / 2**8)
    assert code == BAD_BASELINE


def test_counts_of_other_examples_need_enough_on_both_sides(tmp_path):
    before, now = right_and_wrong(4, []), right_and_wrong(4, range(4), offset=50)
    (job,), code = compared(tmp_path, [of("a", before)], [of("a", now)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)
    assert job.metrics[0].total_loss_p_value == pytest.approx(1 / math.comb(8, 4))
    assert "at least 5 test examples" in job.reason
    assert two_proportions((5, 5), (0, 5)).p_value <= 0.01 < two_proportions((4, 4), (0, 4)).p_value


def test_forecasts_of_a_few_windows_are_not_comparable(tmp_path):
    fields = {"metrics": {"rmse": 1.0}}
    good, bad = ([a_forecast(n, 10.0, 10.0 + error) for n in range(3)] for error in (0.1, 5.0))
    (job,), code = compared(tmp_path, [of("a", good, **fields)], [of("a", bad, **fields)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)
    assert "paired bootstrap: p 0.12" in job.reason


def test_few_right_answers_of_many_are_as_few(tmp_path):
    """Where accuracy alone is compared: as of a plugin's problem, whose tokens nobody else knows."""
    metric = metric_comparison("sequence_accuracy", found(3, 20), GateSpec(), 20, paired=True)
    (job,) = judge_together([JobComparison("a", "unchanged", "", metrics=(metric,))])
    assert job.verdict == "not_comparable"
    assert "at least 4" in job.reason  # 7 right ones are needed, at a share of 3 in 20


def test_a_baseline_that_got_nothing_right_has_nothing_to_lose():
    metric = metric_comparison("sequence_accuracy", found(0, 20), GateSpec(), 20, paired=True)
    (job,) = judge_together([JobComparison("a", "unchanged", "", metrics=(metric,))])
    assert job.verdict == "unchanged"


def found(right, count):
    before = np.arange(count) < right
    return mcnemar(before, np.zeros(count, bool))


def test_parts_of_a_batch_that_were_compared_apart_may_be_too_small_together():
    metric = metric_comparison("sequence_accuracy", found(7, 7), GateSpec(), 7, paired=True)
    parts = {
        name: Comparison(
            "b", "2026-07-01", None, judge_together([JobComparison(name, "unchanged", "", (metric,))])
        )
        for name in ("one", "two")
    }
    assert {part.jobs[0].verdict for part in parts.values()} == {"regression"}
    merged = merge_comparisons(parts)
    assert [job.verdict for job in merged.jobs] == ["not_comparable", "regression"]


def test_a_record_without_the_p_value_of_a_total_loss_goes_by_its_examples():
    metric = metric_comparison("sequence_accuracy", found(1, 1), GateSpec(), 1, paired=True)
    (job,) = judge_together(
        [JobComparison("a", "unchanged", "", (replace(metric, total_loss_p_value=None),))]
    )
    assert job.verdict == "not_comparable"


def test_every_form_of_the_comparison_says_it(tmp_path, monkeypatch, capsys):
    before, now = right_and_wrong(1, []), right_and_wrong(1, [0])
    leave(tmp_path / "before", [of("a", before)])
    leave(tmp_path / "now", [of("a", now)])
    monkeypatch.chdir(tmp_path)
    sentence = "at least 8 test examples are needed"
    for form in ("text", "md", "json"):
        monkeypatch.setattr(sys, "argv", ["seq2seq-job", "compare", "before", "now", "--format", form])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        assert left.value.code == BAD_BASELINE
        assert sentence in out
        assert sentence in err
        assert "not comparable" in out or json.loads(out)["jobs"][0]["verdict"] == "not_comparable"


# --- numbers that are missing or not finite -----------------------------------------------------------------

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
    first = leave(tmp_path / "before", [of("a", MANY)])
    second = rewritten(leave(tmp_path / "now", [of("a", MANY)]), change)
    (job,) = compare_recorded(first, second).jobs
    assert job.verdict == "regression"
    assert job.reason == "sequence_accuracy was 0.99 and is missing or not a finite number now"
    assert conclude(comparison_findings([job])).exit_code == GATE_FAILED
    assert job.reason in against_markdown(compare_recorded(first, second)).replace("\\", "")


@pytest.mark.parametrize("change", BROKEN)
def test_a_metric_that_the_baseline_lacks_makes_a_job_not_comparable(tmp_path, change):
    first = rewritten(leave(tmp_path / "before", [of("a", MANY)]), change)
    second = leave(tmp_path / "now", [of("a", MANY)])
    (job,) = compare_recorded(first, second).jobs
    assert job.verdict == "not_comparable"
    assert job.reason == "the baseline has no finite sequence_accuracy or rmse of it; run its batch again"
    assert conclude(comparison_findings([job])).exit_code == BAD_BASELINE


@pytest.mark.parametrize("text", ["nan", "inf", "many", "", "1.0 2.0"])
def test_forecasts_that_are_no_numbers(tmp_path, text):
    fields = {"metrics": {"rmse": 1.0}}
    good = [a_forecast(n, 10.0, 10.5) for n in range(20)]
    bad = [*good[:-1], replace(good[-1], predicted=text)]
    (job,), code = compared(tmp_path, [of("a", good, **fields)], [of("a", bad, **fields)])
    assert (job.verdict, code) == ("regression", GATE_FAILED)
    assert job.reason == "prediction of example 19 is not as many finite numbers as its target"
    (tmp_path / "other").mkdir()
    (job,), code = compared(tmp_path / "other", [of("a", bad, **fields)], [of("a", good, **fields)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)


def test_forecasts_whose_squares_are_no_numbers_are_compared(tmp_path):
    fields = {"metrics": {"rmse": 1e200}}
    good, bad = ([a_forecast(n, 0.0, size * (1 + n / 100)) for n in range(20)] for size in (1e200, 3e200))
    (job,), code = compared(tmp_path, [of("a", good, **fields)], [of("a", bad, **fields)])
    assert (job.verdict, code) == ("regression", GATE_FAILED)
    assert job.metrics[0].now == pytest.approx(3 * job.metrics[0].before)


def test_a_job_that_failed_on_a_number_is_a_regression(tmp_path):
    error = Failure("ResultError", "rmse is not a finite number after training: lower the learning rate")
    (job,), code = compared(tmp_path, [of("a", MANY)], [(a_job("a", status="failed", error=error), None)])
    assert (job.verdict, code) == ("regression", GATE_FAILED)
    assert job.reason.startswith("the job failed: ResultError: rmse is not a finite number")


def test_counts_that_are_not_known_are_not_comparable(tmp_path):
    (job,), code = compared(tmp_path, [(a_job("a", MANY), None)], [(a_job("a", MANY, data={}), None)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)


def test_a_number_elsewhere_that_is_not_finite_makes_a_report_unreadable(tmp_path):
    first = rewritten(
        leave(tmp_path / "before", [of("a", MANY)]), lambda job: job.update(history={"loss": [math.nan]})
    )
    with pytest.raises(BaselineError, match=r"jobs\[0\]\.history\.loss\[0\] is not a finite number"):
        compare_recorded(first, leave(tmp_path / "now", [of("a", MANY)]))


def test_nothing_of_this_is_said_of_a_good_batch(tmp_path):
    jobs, code = compared(tmp_path, [of("a", MANY)], [of("a", MANY)])
    assert ([job.verdict for job in jobs], code) == (["unchanged"], OK)
