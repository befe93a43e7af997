"""The verdict on a batch: exit codes and their precedence, and the reasons."""

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
from job.gating.batch_verdict import PRECEDENCE, Finding, conclude, decide, findings
from job.process.stopping import Request
from job.results.batch_report import Verdict
from job.results.job_result import Failure, GateOutcome, JobResult

NAN, INF = float("nan"), float("inf")


def result(name, status="passed", **fields):
    return JobResult(name=name, status=status, fingerprint="f" * 64, seed=1, spec={}, **fields)


PASSED = result("good", gates=(GateOutcome("sequence_accuracy", 0.9, 0.95, True),))
MISSED = result("low", "gate_failed", gates=(GateOutcome("sequence_accuracy", 0.9, 0.85, False),))
CRASHED = result("dead", "failed", error=Failure("MemoryError", "no memory\nleft"))
STOPPED = result("cut", "interrupted")


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
        (
            MISSED,
            GATE_FAILED,
            "job low failed its gate: sequence_accuracy is 85 %, below its threshold of 90 %",
        ),
        (CRASHED, FAILED, "job dead failed: MemoryError: no memory"),
        (result("dead", "failed"), FAILED, "job dead failed: the cause was not recorded"),
        (STOPPED, FAILED, "job cut was interrupted before it finished"),
        (
            result("odd", gates=MISSED.gates),
            GATE_FAILED,
            "job odd failed its gate: sequence_accuracy is 85 %,",
        ),
        (result("odd", "gate_failed"), GATE_FAILED, "job odd failed its gate: which one was not recorded"),
    ],
)
def test_one_bad_job_decides_and_says_why_once(bad, exit_code, reason):
    verdict = decide(["good", bad.name], [PASSED, bad])
    assert verdict.exit_code == exit_code
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(reason)


def test_a_job_that_failed_two_gates_is_one_sentence():
    gates = (GateOutcome("sequence_accuracy", 0.9, 0.85, False), GateOutcome("edit_rate", 0.1, None, False))
    assert decide(["x"], [result("x", "gate_failed", gates=gates)]).reasons == (
        "job x failed its gate: sequence_accuracy is 85 %, below its threshold of 90 %; "
        "edit_rate was not measured (its threshold is 10 %)",
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
    assert verdict.reasons[0] == f"the batch was stopped by {cause}; run the same command again to resume it"
