"""Jobs and batches that cannot be compared, and why."""

import pytest
from comparing import verdicts
from recording import PROBLEM, a_run, right_and_wrong

from job.errors import BAD_BASELINE, BaselineError
from job.gating.batch_verdict import comparison_findings, conclude
from job.results.data_facts import DataFacts, Separators
from job.results.scored_examples import fingerprint_predictions

FEW = right_and_wrong(50, [3])


@pytest.mark.parametrize(
    ("before", "now", "reason"),
    [
        ({"problem_fingerprint": "q" * 64}, {}, "another problem: the content of its data files has changed"),
        ({"problem_fingerprint": ""}, {}, "does not say what it was measured on"),
        ({"status": "failed"}, {}, "the baseline has no finished result of it: it is failed"),
        ({}, {"status": "interrupted"}, "the job has no finished result: it is interrupted"),
        (
            {"spec": {"problem": {**PROBLEM, "source_length": 9}}, "problem_fingerprint": "q" * 64},
            {},
            "another problem: problem.source_length was 9 and is 3",
        ),
        (
            {
                "spec": {"problem": PROBLEM, "evaluation": {"examples": 1, "decoder": "beam"}},
                "problem_fingerprint": "q" * 64,
            },
            {},
            "another problem: evaluation.decoder was beam and is greedy",
        ),
    ],
)
def test_a_job_that_cannot_be_compared_says_why_and_never_passes(compare_batches, before, now, reason):
    found = compare_batches([a_run("a", FEW, **before)], [a_run("a", FEW, **now)])
    assert verdicts(found) == {"a": "not_comparable"}
    assert reason in found.jobs[0].reason
    assert conclude(comparison_findings(found.jobs)).exit_code == BAD_BASELINE


def test_a_baseline_of_other_jobs_alone_is_an_error(compare_batches):
    with pytest.raises(BaselineError, match="has none of the jobs that are to be compared; its jobs: a"):
        compare_batches([a_run("a", FEW)], [a_run("b", FEW)])


OTHER_DATA = {"problem_fingerprint": "q" * 64}


def measured_on(predictions):
    """Fields of a result that records which examples it was measured on."""
    data = DataFacts(test_examples=len(predictions), separators=Separators(source=" ", target=" "))
    return {"data": data, "test_fingerprint": fingerprint_predictions(predictions, data)}


def test_other_training_data_with_the_same_test_is_a_comparison(compare_batches):
    worse = right_and_wrong(50, range(3, 40))
    found = compare_batches(
        [a_run("a", FEW, **measured_on(FEW), **OTHER_DATA)], [a_run("a", worse, **measured_on(worse))]
    )
    assert verdicts(found) == {"a": "regression"}
    assert found.jobs[0].metrics[0].paired


@pytest.mark.parametrize(("before", "now"), [(50, 30), (30, 50)])
def test_the_first_examples_of_the_same_test_are_the_same_test(compare_batches, before, now):
    was, found = right_and_wrong(before, [3]), right_and_wrong(now, [3])
    compared = compare_batches(
        [a_run("a", was, **measured_on(was), **OTHER_DATA)], [a_run("a", found, **measured_on(found))]
    )
    assert verdicts(compared) == {"a": "unchanged"}
    assert compared.jobs[0].metrics[0].examples == 30


def test_same_data_asks_for_the_same_problem_too(compare_batches):
    gate = {"baseline": "same_data"}
    found = compare_batches(
        [a_run("a", FEW, **measured_on(FEW), **OTHER_DATA)], [a_run("a", FEW, gate=gate, **measured_on(FEW))]
    )
    assert verdicts(found) == {"a": "not_comparable"}
    assert found.jobs[0].reason.endswith("another problem: the content of its data files has changed")


def test_other_test_examples_cannot_be_compared(compare_batches):
    others = right_and_wrong(50, [3], offset=1)
    found = compare_batches(
        [a_run("a", others, **measured_on(others), **OTHER_DATA)], [a_run("a", FEW, **measured_on(FEW))]
    )
    assert verdicts(found) == {"a": "not_comparable"}
    assert "its test examples are not those of the baseline" in found.jobs[0].reason
    assert "or replace the baseline" in found.jobs[0].reason


def test_a_baseline_that_does_not_record_its_test_says_what_to_do(compare_batches):
    found = compare_batches([a_run("a", FEW, **OTHER_DATA)], [a_run("a", FEW, **measured_on(FEW))])
    assert verdicts(found) == {"a": "not_comparable"}
    assert found.jobs[0].reason.endswith("run its batch again with this version")
