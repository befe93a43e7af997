"""Gates of one job: thresholds passed or failed, and advice for values within sampling error of them."""

import pytest

from job.errors import GATE_FAILED
from job.gating.batch_verdict import decide
from job.gating.gates import check_thresholds, judge_result, share_counts, status_of
from job.results.data_facts import DataFacts
from job.results.job_result import GateOutcome, JobResult
from job.spec.gate_section import GateSpec

NAN, INF = float("nan"), float("inf")


def result(name, status="passed", **fields):
    return JobResult(name=name, status=status, fingerprint="f" * 64, seed=1, spec={}, **fields)


# --- absolute gates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "threshold", "value", "passed"),
    [
        ("sequence_accuracy", 0.99, 0.99, True),
        ("sequence_accuracy", 0.99, 1.0, True),
        ("sequence_accuracy", 0.99, 0.9899999, False),
        ("edit_rate", 0.1, 0.1, True),
        ("edit_rate", 0.1, 0.0, True),
        ("edit_rate", 0.1, 0.1000001, False),
        ("train_seconds", 60, 61.0, False),
        ("train_examples_per_second", 1000, 999.0, False),
        ("sequence_accuracy", 0.0, 0.0, True),
    ],
)
def test_a_threshold_is_a_minimum_or_a_maximum_by_the_metric(metric, threshold, value, passed):
    assert check_thresholds({metric: value}, {metric: threshold}) == (
        GateOutcome(metric, threshold, value, passed),
    )


@pytest.mark.parametrize("metric", ["sequence_accuracy", "edit_rate"])
@pytest.mark.parametrize("measured", [None, NAN, INF, -INF])
def test_a_metric_that_was_not_measured_fails_its_gate(metric, measured):
    values = {"token_accuracy": 1.0} | ({} if measured is None else {metric: measured})
    assert check_thresholds(values, {metric: 0.0}) == (GateOutcome(metric, 0.0, None, False),)


BLEU_NOT_MEASURED = DataFacts(not_measured={"bleu": "no target has four tokens"})


def test_an_undefined_metric_fails_its_gate_with_the_reason():
    found = judge_result(result("short", data=BLEU_NOT_MEASURED), GateSpec(min_bleu=0.0))
    assert found.status == "gate_failed"
    verdict = decide(["short"], [found])
    assert verdict.exit_code == GATE_FAILED
    (reason,) = verdict.reasons
    assert "job short failed its gate: bleu was not measured" in reason
    assert "no target has four tokens" in reason


def test_outcomes_come_in_the_order_of_the_thresholds_and_only_for_them():
    outcomes = check_thresholds(
        {"edit_rate": 0.5, "sequence_accuracy": 0.5}, {"sequence_accuracy": 0.4, "edit_rate": 0.4}
    )
    assert [(outcome.metric, outcome.passed) for outcome in outcomes] == [
        ("sequence_accuracy", True),
        ("edit_rate", False),
    ]
    assert check_thresholds({"edit_rate": 0.5}, {}) == ()


def test_status_needs_every_gate():
    good, bad = GateOutcome("edit_rate", 1, 0, True), GateOutcome("edit_rate", 0, 1, False)
    assert status_of(()) == "passed"
    assert status_of((good, good)) == "passed"
    assert status_of((good, bad)) == status_of((bad, good)) == "gate_failed"


# --- advice -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (
            0.9912,
            "within sampling error on 10,000 test examples; about 27,000 would decide it",
        ),
        (
            0.989,
            "within sampling error on 10,000 test examples; about 39,000 would decide it",
        ),
        (0.99, "within sampling error on 10,000 test examples; it equals the threshold"),
        (0.995, None),
        (0.98, None),
    ],
)
def test_a_share_within_sampling_error_of_its_threshold_says_how_many_examples_are_needed(value, advice):
    counts = share_counts(DataFacts(test_examples=10_000, seen_in_training=1000))
    (outcome,) = check_thresholds({"sequence_accuracy": value}, {"sequence_accuracy": 0.99}, counts)
    assert outcome.passed is (value >= 0.99)
    assert (outcome.advice or "").startswith(advice or "") if advice else outcome.advice is None


def test_only_shares_of_examples_have_advice():
    assert share_counts(DataFacts(test_examples=10, seen_in_training=4))["unseen_sequence_accuracy"] == 6
    assert share_counts(DataFacts(test_examples=10)) == share_counts(DataFacts()) == {}
    (outcome,) = check_thresholds({"edit_rate": 0.1}, {"edit_rate": 0.1}, {"sequence_accuracy": 10})
    assert outcome.advice is None
