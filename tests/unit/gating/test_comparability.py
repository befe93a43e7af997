"""Jobs and batches that cannot be compared, and why."""

import pytest
from comparing import verdicts
from recording import PROBLEM, a_run, right_and_wrong

from job.errors import BAD_BASELINE, BaselineError
from job.gating.batch_verdict import comparison_findings, conclude

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
