"""A batch compared with a baseline: what is worse, better, unchanged, or new."""

import json

import pytest
from comparing import verdicts
from recording import a_job, a_run, leave, right_and_wrong
from scipy import stats

from job.batch.recorded_comparison import compare_and_judge
from job.errors import GATE_FAILED
from job.gating.batch_verdict import comparison_findings, conclude
from job.gating.significance_tests import two_proportions
from job.results.data_facts import DataFacts


def test_a_significant_and_large_drop_is_a_regression_and_lists_flipped_examples(compare_batches):
    found = compare_batches(
        [a_run("a", right_and_wrong(1000, range(10)))], [a_run("a", right_and_wrong(1000, range(9, 40)))]
    )
    (job,) = found.jobs
    assert (job.verdict, job.lost_count, job.won_count) == ("regression", 30, 9)
    accuracy, edits = job.metrics
    assert (accuracy.metric, accuracy.test, accuracy.paired) == ("sequence_accuracy", "exact McNemar", True)
    assert (accuracy.before, accuracy.now, accuracy.change) == (0.99, 0.969, "regression")
    assert accuracy.p_value == pytest.approx(stats.binom.sf(29, 39, 0.5))
    assert accuracy.adjusted_p_value == pytest.approx(2 * accuracy.p_value)
    assert (edits.metric, edits.test) == ("edit_rate", "paired bootstrap")
    assert (edits.before, edits.now) == pytest.approx((10 / 3000, 31 / 3000))
    assert [flip.id for flip in job.lost] == [str(n) for n in range(10, 30)]
    assert job.lost[0].before == "10 2 3"
    assert job.lost[0].now == "10 2 4"
    assert [flip.id for flip in job.won] == [str(n) for n in range(9)]
    verdict = conclude(comparison_findings(found.jobs))
    assert verdict.exit_code == GATE_FAILED
    assert verdict.reasons == (f"job a is worse than its baseline: {job.reason}",)
    assert (
        "sequence_accuracy was 0.99 and is 0.969 (exact McNemar: 30 right before and wrong now, 9"
        in job.reason
    )


def test_a_significant_and_large_rise_is_an_improvement_and_passes(compare_batches):
    found = compare_batches(
        [a_run("a", right_and_wrong(1000, range(9, 40)))], [a_run("a", right_and_wrong(1000, range(10)))]
    )
    assert verdicts(found) == {"a": "improvement"}
    assert conclude(comparison_findings(found.jobs)).exit_code == 0
    assert found.jobs[0].metrics[0].adjusted_p_value < 0.01


def test_a_significant_drop_below_min_drop_is_no_regression(compare_batches):
    """Forty lost and none won of 10,000: beyond chance, but less than min_drop."""
    found = compare_batches(
        [a_run("a", right_and_wrong(10_000, []))], [a_run("a", right_and_wrong(10_000, range(40)))]
    )
    (job,) = found.jobs
    assert job.verdict == "unchanged"
    assert job.metrics[0].adjusted_p_value < 1e-9
    assert job.metrics[0].difference == pytest.approx(-0.004)
    assert job.metrics[0].advice is None


def test_a_drop_of_exactly_min_drop_counts(compare_batches):
    found = compare_batches(
        [a_run("a", right_and_wrong(10_000, []))], [a_run("a", right_and_wrong(10_000, range(50)))]
    )
    assert found.jobs[0].metrics[0].change == "regression"


def test_a_large_drop_that_is_not_significant_says_how_many_examples_are_needed(compare_batches):
    found = compare_batches(
        [a_run("a", right_and_wrong(100, [0]))], [a_run("a", right_and_wrong(100, range(1, 5)))]
    )
    (job,) = found.jobs
    assert job.verdict == "unchanged"
    accuracy = job.metrics[0]
    assert accuracy.difference == pytest.approx(-0.03)
    assert accuracy.advice.startswith("a change of this size would be significant on about ")
    assert accuracy.advice in job.reason


def test_the_min_drop_of_the_spec_applies(compare_batches):
    before, now = right_and_wrong(1000, []), right_and_wrong(1000, range(40))
    assert verdicts(compare_batches([a_run("a", before)], [a_run("a", now, gate={"min_drop": 0.05})])) == {
        "a": "unchanged"
    }


def test_examples_that_only_the_candidate_has_are_ignored(compare_batches):
    found = compare_batches(
        [a_run("a", right_and_wrong(400, []))], [a_run("a", right_and_wrong(1000, range(300)))]
    )
    metric = found.jobs[0].metrics[0]
    assert (metric.paired, metric.examples, metric.now) == (True, 400, 0.25)


@pytest.mark.parametrize("offset", [0, 1])
def test_on_different_examples_counts_are_compared_and_the_reason_says_so(compare_batches, offset):
    """Another seed draws other examples; without an offset the baseline has left none."""
    before, now = right_and_wrong(1000, []), right_and_wrong(500, range(10), offset)
    found = compare_batches([(a_job("a", before), before if offset else None)], [a_run("a", now)])
    (metric,) = found.jobs[0].metrics
    assert not metric.paired
    assert metric.test == "two proportions (Fisher)"
    assert metric.p_value == two_proportions((1000, 1000), (490, 500)).p_value
    assert found.jobs[0].verdict == "regression"
    assert "as independent samples" in found.jobs[0].reason
    assert ("examples differ" if offset else "output directory") in found.jobs[0].unpaired
    assert found.jobs[0].lost == ()


def test_a_report_alone_is_enough_for_sequence_accuracy(tmp_path):
    before, now = right_and_wrong(1000, []), right_and_wrong(1000, range(30))
    (tmp_path / "kept.json").write_bytes(
        (leave(tmp_path / "before", [a_run("a", before)]) / "report.json").read_bytes()
    )
    found = compare_and_judge(tmp_path / "kept.json", leave(tmp_path / "now", [a_run("a", now)]))[0]
    assert verdicts(found) == {"a": "regression"}
    assert found.baseline == str(tmp_path / "kept.json")


FEW = right_and_wrong(50, [3])


@pytest.mark.parametrize(("before", "verdict"), [("none", "not_comparable"), ("13a", "unchanged")])
def test_a_bleu_of_other_tokens_is_not_compared(compare_batches, before, verdict):
    def run(tokens):
        data = DataFacts(test_examples=20, signatures={"bleu": f"nrefs:1|tok:{tokens}|version:2"})
        metrics = {"sequence_accuracy": 1.0, "bleu": 50.0, "chrf": 50.0}
        return a_run("a", right_and_wrong(20, []), metrics=metrics, data=data)

    (job,) = compare_batches([run(before)], [run("13a")]).jobs
    assert job.verdict == verdict
    assert ("tok:13a, tok:none then" in job.reason) is (verdict == "not_comparable")


def test_new_and_removed_jobs_are_listed_and_do_not_fail(compare_batches):
    found = compare_batches(
        [a_run("a", FEW), a_run("gone", FEW)], [a_run("added", FEW), a_run("a", FEW)], plan=["added", "a"]
    )
    assert verdicts(found) == {"added": "new", "a": "unchanged", "gone": "removed"}
    assert conclude(comparison_findings(found.jobs)).exit_code == 0


def test_a_job_that_was_not_selected_is_not_removed(compare_batches):
    found = compare_batches([a_run("a", FEW), a_run("b", FEW)], [a_run("a", FEW)], plan=["a", "b"])
    assert verdicts(found) == {"a": "unchanged"}


def test_a_job_without_a_result_never_passes(compare_batches):
    found = compare_batches([a_run("a", FEW), a_run("b", FEW)], [a_run("a", FEW)], missing=["b"])
    assert verdicts(found) == {"a": "unchanged", "b": "not_comparable"}


def test_the_comparison_is_written_as_json(compare_batches):
    found = compare_batches(
        [a_run("a", right_and_wrong(1000, []))], [a_run("a", right_and_wrong(1000, range(30)))]
    )
    assert json.loads(found.to_json())["jobs"][0]["metrics"][0]["test"] == "exact McNemar"
