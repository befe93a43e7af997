"""Gates of one job: thresholds passed or failed, and advice for values within sampling error of them."""

import pytest

from job.errors import GATE_FAILED
from job.gating.batch_verdict import decide
from job.gating.gates import judge, judged, share_counts, status
from job.results.data_facts import DataFacts
from job.results.records import GateOutcome, JobResult
from job.spec.gate_section import GateSpec

NAN, INF = float("nan"), float("inf")


def result(name, status="passed", **fields):
    return JobResult(name=name, status=status, fingerprint="f" * 64, seed=1, spec={}, **fields)


# --- absolute gates -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "bound", "value", "passed"),
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
def test_a_bar_is_cleared_from_its_own_side(metric, bound, value, passed):
    assert judge({metric: value}, {metric: bound}) == (GateOutcome(metric, bound, value, passed),)


@pytest.mark.parametrize("metric", ["sequence_accuracy", "edit_rate"])
@pytest.mark.parametrize("measured", [None, NAN, INF, -INF])
def test_what_was_not_measured_has_not_cleared_its_bar(metric, measured):
    values = {"token_accuracy": 1.0} | ({} if measured is None else {metric: measured})
    assert judge(values, {metric: 0.0}) == (GateOutcome(metric, 0.0, None, False),)


BLEU_NOT_MEASURED = DataFacts(not_measured={"bleu": "no target has four tokens"})


def test_a_metric_that_is_not_defined_fails_its_gate_by_name_and_with_the_reason():
    found = judged(result("short", data=BLEU_NOT_MEASURED), GateSpec(min_bleu=0.0))
    assert found.status == "gate_failed"
    verdict = decide(["short"], [found])
    assert verdict.exit_code == GATE_FAILED
    (reason,) = verdict.reasons
    assert "job short failed its gate: bleu was not measured" in reason
    assert "no target has four tokens" in reason


def test_outcomes_come_in_the_order_of_the_thresholds_and_only_for_them():
    outcomes = judge(
        {"edit_rate": 0.5, "sequence_accuracy": 0.5}, {"sequence_accuracy": 0.4, "edit_rate": 0.4}
    )
    assert [(outcome.metric, outcome.passed) for outcome in outcomes] == [
        ("sequence_accuracy", True),
        ("edit_rate", False),
    ]
    assert judge({"edit_rate": 0.5}, {}) == ()


def test_status_needs_every_gate():
    good, bad = GateOutcome("edit_rate", 1, 0, True), GateOutcome("edit_rate", 0, 1, False)
    assert status(()) == "passed"
    assert status((good, good)) == "passed"
    assert status((good, bad)) == status((bad, good)) == "gate_failed"


# --- bars that chance could decide --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (
            0.9912,
            "of 10,000 examples chance could have it on the other side; about 27,000 test examples would",
        ),
        (
            0.989,
            "of 10,000 examples chance could have it on the other side; about 39,000 test examples would",
        ),
        (0.99, "of 10,000 examples chance could have it on the other side; it lies on the bar itself"),
        (0.995, None),
        (0.98, None),
    ],
)
def test_a_share_near_its_bar_says_how_many_examples_would_settle_it(value, advice):
    counts = share_counts(DataFacts(test_examples=10_000, seen_in_training=1000))
    (outcome,) = judge({"sequence_accuracy": value}, {"sequence_accuracy": 0.99}, counts)
    assert outcome.passed is (value >= 0.99)
    assert (outcome.advice or "").startswith(advice or "") if advice else outcome.advice is None


def test_only_shares_of_examples_have_such_advice():
    assert share_counts(DataFacts(test_examples=10, seen_in_training=4))["unseen_sequence_accuracy"] == 6
    assert share_counts(DataFacts(test_examples=10)) == share_counts(DataFacts()) == {}
    (outcome,) = judge({"edit_rate": 0.1}, {"edit_rate": 0.1}, {"sequence_accuracy": 10})
    assert outcome.advice is None
