"""A comparison is judged by the gates of the candidate's plan: in a run, in `report` and in `compare`."""

from dataclasses import replace
from datetime import datetime, timezone

import numpy as np
import pytest
from recording import a_job, leave, right_and_wrong

from job.batch.actions import Decision
from job.batch.baseline import RunBaseline
from job.batch.merge import merge_reports
from job.batch.planning import PlannedJob
from job.batch.recorded_comparison import compare_and_judge
from job.batch.resume import PreviousJob
from job.errors import GATE_FAILED, OK
from job.gating.batch_verdict import decide
from job.gating.comparison_verdicts import judge_together
from job.gating.merged_comparisons import merge_comparisons
from job.gating.metric_tests import metric_comparison
from job.gating.plan_file import PlanEntry, write_entries
from job.gating.recorded_batch import read_recorded
from job.gating.significance_tests import mcnemar
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.results.comparison_records import Comparison, JobComparison
from job.spec.fingerprints import Fingerprints
from job.spec.gate_section import GateSpec
from job.spec.problem_sections import CopySpec
from job.spec.schema import JobSpec
from job.storage.artifacts import OutputPaths

STRICT, LENIENT = {"min_drop": 0.005}, {"min_drop": 0.2}
WAS, NOW = right_and_wrong(1000, range(10)), right_and_wrong(1000, range(40))


@pytest.fixture
def sides(tmp_path):
    """Leave a baseline and a worse candidate that was trained under one gate and is planned with another."""

    def sides(trained, planned, **fields):
        before = leave(tmp_path / "before", [(a_job("a", WAS), WAS)])
        now = leave(tmp_path / "now", [(a_job("a", NOW, gate=trained, **fields), NOW)])
        if planned is not None:
            write_entries(OutputPaths(now), [PlanEntry("a", "f" * 64, GateSpec(**planned), seed=7)])
        return before, now

    return sides


@pytest.mark.parametrize(
    ("trained", "planned", "code"),
    [
        (LENIENT, STRICT, GATE_FAILED),
        (STRICT, LENIENT, OK),
        (STRICT, None, GATE_FAILED),
        (LENIENT, None, OK),
        ({}, {"alpha": 1e-12}, OK),
        ({}, {"alpha": 0.01}, GATE_FAILED),
    ],
)
def test_compare_and_report_with_a_baseline_judge_by_the_plan(sides, trained, planned, code):
    before, now = sides(trained, planned)
    assert compare_and_judge(before, now)[1].exit_code == code
    if planned is None:
        write_entries(OutputPaths(now), [PlanEntry("a", "f" * 64)])
    assert merge_reports([now], baseline=before).exit_code == code


@pytest.mark.parametrize(("then", "planned", "code"), [(LENIENT, STRICT, 3), (STRICT, LENIENT, 0)])
def test_report_judges_the_comparison_of_a_run_by_the_current_plan(sides, then, planned, code):
    before, now = sides({}, planned)
    output = OutputPaths(now)
    job = JobSpec(
        name="a", problem=CopySpec(kind="copy", source_length=3, cardinality=9), gate=GateSpec(**then)
    )
    results = Report.from_json(output.report.read_bytes()).jobs
    decision = Decision(action="train", why="", previous=PreviousJob("to do"))
    marks = Fingerprints(training="f" * 64, evaluation="f" * 64)
    plan = [PlannedJob(job, marks, "p" * 64, output.job("a"), decision)]
    found = RunBaseline(read_recorded(before), ("a",), before).compare(results, output, plan)
    verdict = decide(["a"], results, comparison=found)
    assert verdict.exit_code == 3 - code
    moment = datetime.now(timezone.utc)
    report = build_report(results, started_at=moment, finished_at=moment, verdict=verdict, comparison=found)
    write_reports(output, report)
    assert merge_reports([now]).exit_code == code
    assert compare_and_judge(before, now)[1].exit_code == code


@pytest.mark.parametrize(
    ("then", "now", "verdict"), [(1e-9, 0.01, "unchanged"), (0.01, 1e-9, "not_comparable")]
)
def test_whether_there_are_enough_examples_is_judged_by_the_plan_too(then, now, verdict):
    same = mcnemar(np.full(20, True), np.full(20, True))
    rules = [GateSpec(alpha=alpha) for alpha in (then, now)]
    metrics = (metric_comparison("sequence_accuracy", same, rules[0], 20, paired=True),)
    part = Comparison("b", "2026-07-01", None, judge_together([JobComparison("a", "unchanged", "", metrics)]))
    assert part.jobs[0].verdict != verdict
    merged = merge_comparisons({"a": part}, {"a": rules[1]})
    assert merged is not None
    assert merged.jobs[0].verdict == verdict


def test_compare_fails_a_candidate_whose_own_gate_fails_whatever_its_status_says(sides):
    before, now = sides({}, {**LENIENT, "min_sequence_accuracy": 0.99})
    found, verdict = compare_and_judge(before, now)
    assert found.jobs[0].verdict == "unchanged"
    assert verdict.exit_code == GATE_FAILED
    assert verdict.reasons == (
        "job a failed its gate: sequence_accuracy is 96 %, below its threshold of 99 %",
    )


def test_a_plan_of_another_training_does_not_judge_the_report_beside_it(sides):
    before, now = sides(LENIENT, None)
    write_entries(OutputPaths(now), [PlanEntry("a", "e" * 64, GateSpec(**STRICT), seed=7)])
    assert compare_and_judge(before, now)[1].exit_code == OK


def test_a_speed_is_judged_by_the_factor_of_the_plan(sides):
    before, now = sides({}, {**LENIENT, "speed": "fail", "speed_factor": 1.2})
    fast, slow = ({"train_examples_per_second": speed} for speed in (1000.0, 700.0))
    for root, timings, low in ((before, fast, 950.0), (now, slow, 650.0)):
        output = OutputPaths(root)
        report = Report.from_json(output.report.read_bytes())
        ranges = {"train_examples_per_second": (low, low + 100)}
        jobs = tuple(replace(job, timings=timings, speed_ranges=ranges) for job in report.jobs)
        output.report.write_text(replace(report, jobs=jobs).to_json())
    assert compare_and_judge(before, now)[1].exit_code == GATE_FAILED
