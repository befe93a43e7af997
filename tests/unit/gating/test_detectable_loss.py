"""Comparisons with too few examples to detect a total loss."""

import json
import math
from dataclasses import replace

import pytest
from comparing import compared, total_loss
from in_process import run_in_process
from recording import a_forecast, a_run, leave, right_and_wrong

from job.errors import BAD_BASELINE, GATE_FAILED
from job.gating.comparison_verdicts import judge_together
from job.gating.metric_tests import metric_comparison
from job.gating.significance_tests import two_proportions
from job.results.comparison_records import JobComparison
from job.spec.gate_section import GateSpec


@pytest.mark.parametrize(("count", "code"), [(1, BAD_BASELINE), (7, BAD_BASELINE), (8, GATE_FAILED)])
def test_few_examples_are_not_comparable_until_a_total_loss_would_show(tmp_path, count, code):
    """Two tests (accuracy and edit rate) share an alpha of 0.01: 2 / 2**8 is less."""
    (job,), found = compared(
        tmp_path, [a_run("a", right_and_wrong(count, []))], [a_run("a", right_and_wrong(count, range(count)))]
    )
    assert found == code
    assert job.verdict == ("not_comparable" if code == BAD_BASELINE else "regression")
    if code == BAD_BASELINE:
        some = "1 test example" if count == 1 else "7 test examples"
        assert job.reason.startswith(f"on {some} even a total loss could be chance (exact McNemar: p ")
        assert job.reason.endswith("at least 8 test examples are needed (evaluation.examples)")
        assert job.metrics[0].change == "unchanged"


def test_an_unchanged_job_with_too_few_examples_is_not_comparable_either(tmp_path):
    (job,), code = compared(
        tmp_path, [a_run("a", right_and_wrong(3, []))], [a_run("a", right_and_wrong(3, []))]
    )
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)


def test_jobs_that_are_compared_together_need_more_examples(tmp_path):
    names = ("a", "b", "c")
    jobs, _ = compared(
        tmp_path,
        [a_run(name, right_and_wrong(9, [])) for name in names],
        [a_run(name, right_and_wrong(9, [])) for name in names],
    )
    assert [job.verdict for job in jobs] == ["not_comparable", "unchanged", "unchanged"]
    assert "at least 10 test examples" in jobs[0].reason


def test_a_job_of_too_few_examples_takes_no_alpha_from_the_others(tmp_path):
    few, many = right_and_wrong(1, []), right_and_wrong(8, [])
    names = ("a", "b", "c")
    before = [*(a_run(name, few) for name in names), a_run("d", many)]
    jobs, code = compared(tmp_path, before, [*before[:3], a_run("d", right_and_wrong(8, range(8)))])
    assert [job.verdict for job in jobs] == ["not_comparable"] * 3 + ["regression"]
    assert jobs[3].metrics[0].adjusted_p_value == pytest.approx(2 / 2**8)
    assert code == BAD_BASELINE


def test_counts_of_other_examples_need_enough_on_both_sides(tmp_path):
    before, now = right_and_wrong(4, []), right_and_wrong(4, range(4), offset=50)
    (job,), code = compared(tmp_path, [a_run("a", before)], [a_run("a", now)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)
    assert job.metrics[0].total_loss_p_value == pytest.approx(1 / math.comb(8, 4))
    assert "at least 5 test examples" in job.reason
    assert two_proportions((5, 5), (0, 5)).p_value <= 0.01 < two_proportions((4, 4), (0, 4)).p_value


def test_forecasts_of_a_few_windows_are_not_comparable(tmp_path):
    fields = {"metrics": {"rmse": 1.0}}
    good, bad = ([a_forecast(n, 10.0, 10.0 + error) for n in range(3)] for error in (0.1, 5.0))
    (job,), code = compared(tmp_path, [a_run("a", good, **fields)], [a_run("a", bad, **fields)])
    assert (job.verdict, code) == ("not_comparable", BAD_BASELINE)
    assert "paired bootstrap: p 0.12" in job.reason


def test_few_right_answers_among_many_examples_are_too_few(tmp_path):
    """Where accuracy alone is compared: as of a plugin's problem, whose tokens nobody else knows."""
    metric = metric_comparison("sequence_accuracy", total_loss(3, 20), GateSpec(), 20, paired=True)
    (job,) = judge_together([JobComparison("a", "unchanged", "", metrics=(metric,))])
    assert job.verdict == "not_comparable"
    assert "at least 4" in job.reason  # 7 right ones are needed, at a share of 3 in 20


def test_a_baseline_that_got_nothing_right_has_nothing_to_lose():
    metric = metric_comparison("sequence_accuracy", total_loss(0, 20), GateSpec(), 20, paired=True)
    (job,) = judge_together([JobComparison("a", "unchanged", "", metrics=(metric,))])
    assert job.verdict == "unchanged"


def test_a_record_without_the_p_value_of_a_total_loss_is_judged_by_its_examples():
    metric = metric_comparison("sequence_accuracy", total_loss(1, 1), GateSpec(), 1, paired=True)
    (job,) = judge_together(
        [JobComparison("a", "unchanged", "", (replace(metric, total_loss_p_value=None),))]
    )
    assert job.verdict == "not_comparable"


def test_every_format_of_the_comparison_says_how_many_examples_are_needed(tmp_path, monkeypatch, capsys):
    before, now = right_and_wrong(1, []), right_and_wrong(1, [0])
    leave(tmp_path / "before", [a_run("a", before)])
    leave(tmp_path / "now", [a_run("a", now)])
    monkeypatch.chdir(tmp_path)
    sentence = "at least 8 test examples are needed"
    for form in ("text", "md", "json"):
        code = run_in_process("compare", "before", "now", "--format", form)
        out, err = capsys.readouterr()
        assert code == BAD_BASELINE
        assert sentence in out
        assert sentence in err
        assert "not comparable" in out or json.loads(out)["jobs"][0]["verdict"] == "not_comparable"
