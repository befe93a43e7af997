from dataclasses import replace
from itertools import chain, combinations

import pytest

from job.errors import (
    BAD_BASELINE,
    BAD_USAGE,
    FAILED,
    GATE_FAILED,
    OK,
    SIGHUP_EXIT,
    SIGINT_EXIT,
    SIGTERM_EXIT,
)
from job.gating.gates import (
    PRECEDENCE,
    Finding,
    conclude,
    decide,
    findings,
    judge,
    judged,
    share_counts,
    status,
)
from job.process.stopping import Request
from job.results.records import Failure, GateOutcome, JobResult, Verdict
from job.spec.gate_section import GateSpec

NAN, INF = float("nan"), float("inf")


def result(name, status="passed", **fields):
    return JobResult(name=name, status=status, fingerprint="f" * 64, seed=1, spec={}, **fields)


PASSED = result("good", gates=(GateOutcome("sequence_accuracy", 0.9, 0.95, True),))
MISSED = result("low", "gate_failed", gates=(GateOutcome("sequence_accuracy", 0.9, 0.85, False),))
CRASHED = result("dead", "failed", error=Failure("MemoryError", "no memory\nleft"))
STOPPED = result("cut", "interrupted")


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


BLEU_NOT_MEASURED = {"not_measured": {"bleu": "no target has four tokens"}}


def test_a_metric_that_is_not_defined_fails_its_gate_by_name_and_with_the_reason():
    found = judged(result("short", data=BLEU_NOT_MEASURED), GateSpec(min_bleu=0.0))
    assert found.status == "gate_failed"
    verdict = decide(["short"], [found])
    assert verdict.exit_code == GATE_FAILED
    (reason,) = verdict.reasons
    assert "job short failed its gate: bleu was not measured" in reason
    assert "no target has four tokens" in reason


def test_a_reason_that_is_no_text_is_passed_over():
    for data in ({"not_measured": []}, {"not_measured": {"bleu": 5}}):
        (outcome,) = judged(result("short", data=data), GateSpec(min_bleu=0.0)).gates
        assert (outcome.passed, outcome.reason) == (False, None)


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


# --- the verdict --------------------------------------------------------------------------------------------


def nonempty_subsets(codes):
    return list(chain.from_iterable(combinations(codes, size) for size in range(1, len(codes) + 1)))


@pytest.mark.parametrize("codes", nonempty_subsets([1, 2, 3, 4, 129, 130, 143]))
def test_precedence_over_all_combinations(codes):
    expected = next(code for code in (143, 130, 129, 2, 1, 4, 3) if code in codes)
    made = [Finding(code, f"because of {code}") for code in codes]
    for order in (made, made[::-1]):
        verdict = conclude(order)
        assert verdict.exit_code == expected
        assert verdict.reasons[0] == f"because of {expected}"
        assert sorted(verdict.reasons) == sorted(finding.reason for finding in made)


def test_precedence_names_every_code_but_success():
    signals = {SIGTERM_EXIT, SIGINT_EXIT, SIGHUP_EXIT}
    assert set(PRECEDENCE) == signals | {BAD_USAGE, FAILED, BAD_BASELINE, GATE_FAILED}


def test_an_unknown_exit_code_is_a_bug_not_a_pass():
    with pytest.raises(ValueError, match="not in tuple"):
        conclude([Finding(7, "?")])


def test_reasons_of_one_code_keep_their_order():
    assert conclude([Finding(1, "a"), Finding(3, "b"), Finding(1, "c")]).reasons == ("a", "c", "b")


def test_success_needs_every_planned_job():
    assert decide(["good"], [PASSED]) == Verdict(OK, ())
    assert decide(["good", "gone"], [PASSED]) == Verdict(FAILED, ("job gone has no result",))


@pytest.mark.parametrize("planned", [[], ["a"]])
def test_an_empty_set_of_results_is_no_success(planned):
    verdict = decide(planned, [])
    assert verdict.exit_code == FAILED
    assert len(verdict.reasons) == 1


@pytest.mark.parametrize(
    ("bad", "exit_code", "reason"),
    [
        (MISSED, GATE_FAILED, "job low failed its gate: sequence_accuracy is 0.85, below its bar of 0.9"),
        (CRASHED, FAILED, "job dead failed: MemoryError: no memory"),
        (result("dead", "failed"), FAILED, "job dead failed: the cause was not recorded"),
        (STOPPED, FAILED, "job cut was interrupted before it finished"),
        (
            result("odd", gates=MISSED.gates),
            GATE_FAILED,
            "job odd failed its gate: sequence_accuracy is 0.85,",
        ),
        (result("odd", "gate_failed"), GATE_FAILED, "job odd failed its gate: which one was not recorded"),
    ],
)
def test_one_bad_job_decides_and_says_why_once(bad, exit_code, reason):
    verdict = decide(["good", bad.name], [PASSED, bad])
    assert verdict.exit_code == exit_code
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(reason)


def test_a_job_that_missed_two_gates_is_one_sentence():
    gates = (GateOutcome("sequence_accuracy", 0.9, 0.85, False), GateOutcome("edit_rate", 0.1, None, False))
    assert decide(["x"], [result("x", "gate_failed", gates=gates)]).reasons == (
        "job x failed its gate: sequence_accuracy is 0.85, below its bar of 0.9; "
        "edit_rate was not measured (the bar is 0.1)",
    )


@pytest.mark.parametrize(
    ("kind", "metrics", "lacks"),
    [
        ("copy", {"token_accuracy": 1.0}, "sequence_accuracy"),
        ("copy", {"sequence_accuracy": NAN}, "sequence_accuracy"),
        ("time_series", {"mae": 1.0}, "rmse"),
        ("time_series", {"rmse": INF}, "rmse"),
    ],
)
def test_a_result_without_its_leading_metric_is_a_failed_job(kind, metrics, lacks):
    bad = replace(result("bad", metrics=metrics), spec={"problem": {"kind": kind}})
    reason = f"job bad failed: it has no {lacks} that is a finite number"
    assert decide(["bad"], [bad]) == Verdict(FAILED, (reason,))
    good = replace(bad, metrics={lacks: 0.5})
    assert decide(["bad"], [good]).exit_code == OK


def test_findings_follow_the_plan_then_what_was_not_planned():
    found = findings(["gone", "low", "good"], [PASSED, CRASHED, MISSED])
    assert [finding.exit_code for finding in found] == [FAILED, GATE_FAILED, FAILED]
    assert [finding.reason.split()[1] for finding in found] == ["gone", "low", "dead"]


@pytest.mark.parametrize(
    ("cause", "exit_code"),
    [
        ("SIGINT", SIGINT_EXIT),
        ("SIGTERM", SIGTERM_EXIT),
        ("SIGHUP", SIGHUP_EXIT),
        ("the time limit", SIGTERM_EXIT),
    ],
)
@pytest.mark.parametrize("results", [[], [PASSED], [PASSED, MISSED, CRASHED, STOPPED]])
def test_a_stop_decides_over_everything(cause, exit_code, results):
    verdict = decide(["good", "low"], results, stopped_by=Request(cause, exit_code))
    assert verdict.exit_code == exit_code
    assert verdict.reasons[0] == f"the batch was stopped by {cause}; run the same command again to go on"


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
    counts = share_counts({"test_examples": 10_000, "seen_in_training": 1000})
    (outcome,) = judge({"sequence_accuracy": value}, {"sequence_accuracy": 0.99}, counts)
    assert outcome.passed is (value >= 0.99)
    assert (outcome.advice or "").startswith(advice or "") if advice else outcome.advice is None


def test_only_shares_of_examples_have_such_advice():
    assert share_counts({"test_examples": 10, "seen_in_training": 4})["unseen_sequence_accuracy"] == 6
    assert share_counts({"test_examples": 10}) == share_counts({}) == {}
    (outcome,) = judge({"edit_rate": 0.1}, {"edit_rate": 0.1}, {"sequence_accuracy": 10})
    assert outcome.advice is None
