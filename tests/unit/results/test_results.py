import json
from dataclasses import replace

import pytest
from sample_results import TUTORIAL

from job.results.batch_report import MetricOverSeeds, Report, SeedsSummary, Verdict
from job.results.comparison_records import (
    Comparison,
    FlippedExample,
    JobComparison,
    MetricComparison,
    SpeedComparison,
)
from job.results.data_facts import DataFacts
from job.results.job_result import Artifact, Failure, GateOutcome, JobResult
from job.results.predictions import Prediction
from job.results.reading import SCHEMA_VERSION
from job.results.validation_result import ValidationResult
from job.storage.documents import DocumentError

RESULT = JobResult(
    name="tutorial",
    status="gate_failed",
    fingerprint="ab" * 32,
    seed=2**32 - 1,
    spec={"name": "tutorial", "problem": {"kind": "copy", "source_length": 3}, "list": [1, None, True, "é"]},
    metrics={"sequence_accuracy": 0.1 + 0.2, "edit_rate": 1e-300},
    gates=(GateOutcome("sequence_accuracy", 0.99, 0.3, False), GateOutcome("edit_rate", 0.1, None, False)),
    data=DataFacts(source_space=10**40, seen_in_training=3, problem={"files": {"a": "0"}}),
    timings={"train_seconds": 8.25},
    peak_rss_bytes=2**40,
    parameters=157_747,
    history={"step": [1, 2], "loss": [2.5, 1e-300], "val_loss": [None, 0.5]},
    samples=(
        Prediction("0", "日本 |\n", 'a"b', "\x00", False),
        Prediction("1", "x", "y", "z", True, ("y", "z")),
    ),
    artifacts=(Artifact("model/train.keras", 12, "0" * 64),),
    environment={"packages": {"keras": "3.15.0"}, "git_commit": None},
    error=Failure("E", "message\nof two lines", "error.txt"),
    validation=ValidationResult(
        examples=3, metrics={"sequence_accuracy": 1 / 3}, seen_in_training=1, not_measured={"bleu": "short"}
    ),
)
REPORT = Report(
    started_at="2026-03-01T12:00:00+00:00",
    finished_at="2026-03-01T12:02:00+00:00",
    exit_code=3,
    totals={"gate_failed": 1, "missing": 1},
    jobs=(replace(RESULT, reused=True),),
    verdict=Verdict(3, ("because",)),
    missing=("gone",),
    comparison=Comparison(
        baseline="nightly/2026-02-28",
        baseline_finished_at="2026-02-28T12:02:00+00:00",
        baseline_commit=None,
        jobs=(
            JobComparison(
                name="tutorial",
                verdict="regression",
                reason="sequence accuracy fell",
                metrics=(
                    MetricComparison(
                        metric="sequence_accuracy",
                        test="exact McNemar",
                        before=0.99,
                        now=0.97,
                        difference=-0.02,
                        p_value=1e-9,
                        adjusted_p_value=2e-9,
                        alpha=0.01,
                        min_effect=0.005,
                        examples=10_000,
                        paired=True,
                        detail="210 right before and wrong now, 10 the other way",
                        change="regression",
                    ),
                ),
                lost=(FlippedExample("7", "1 2", "2 1", "2 1", "2 2"),),
                lost_count=210,
                won_count=10,
                speed=(
                    SpeedComparison("train_examples_per_second", 9e3, 4e3, 2.25, 1.3, None, (3e3, 5e3), True),
                ),
            ),
            JobComparison("gone", "removed", "only the baseline has it"),
        ),
    ),
    seeds=(
        SeedsSummary(
            name="addition",
            seeds=(1, 2),
            jobs=("addition-seed-1", "addition-seed-2"),
            absent=("addition-seed-2",),
            gate_on="mean",
            metrics=(MetricOverSeeds("sequence_accuracy", (0.9, None), 0.9, None, None, None),),
        ),
    ),
)
LEAST = {"name": "x", "status": "passed", "fingerprint": "f", "seed": 1, "spec": {}}


def test_a_result_survives_json():
    assert JobResult.from_json(RESULT.to_json()) == RESULT
    assert JobResult.from_json(RESULT.to_json().encode()) == RESULT


def test_a_report_survives_json_with_what_was_reused():
    again = Report.from_json(REPORT.to_json())
    assert again == REPORT
    assert again.jobs[0].reused


def test_whether_a_result_was_reused_is_not_its_own_business():
    assert "reused" not in json.loads(RESULT.to_json())
    assert replace(RESULT, reused=True).to_json() == RESULT.to_json()


def test_result_json_has_the_keys_of_the_contract():
    assert set(json.loads(RESULT.to_json())) == {
        *("schema_version", "name", "status", "fingerprint", "seed", "spec", "metrics", "gates", "data"),
        *("timings", "peak_rss_bytes", "parameters", "samples", "artifacts", "environment", "error"),
        *("analysis", "also", "attention", "attempts", "problem_fingerprint", "speed_ranges"),
        *("history", "judged", "validation", "test_fingerprint"),
        *("training_fingerprint", "evaluation_fingerprint", "model_of", "exports"),
    }


def test_report_json_has_the_keys_of_the_contract():
    assert set(json.loads(REPORT.to_json())) == {
        *("schema_version", "started_at", "finished_at", "exit_code", "totals", "jobs", "verdict", "missing"),
        *("comparison", "seeds", "ensembles", "unstarted", "running", "set_aside", "unusable"),
    }


def test_what_only_some_results_have_may_be_absent():
    assert JobResult.from_json(json.dumps(LEAST)) == JobResult("x", "passed", "f", 1, {})


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_have_are_refused(value):
    with pytest.raises(ValueError, match="JSON compliant"):
        replace(RESULT, metrics={"edit_rate": value}).to_json()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "{}",
        RESULT.to_json()[:-3],
        json.dumps({**LEAST, "status": "great"}),
        json.dumps({**LEAST, "seed": "seven"}),
        b"\xff\xfe",
    ],
)
def test_a_text_that_is_no_result_is_refused(text):
    with pytest.raises(
        ValueError, match=r"Field required|not JSON|is empty|not UTF-8|status: |seed: |dictionary"
    ):
        JobResult.from_json(text)


def test_another_schema_version_is_refused_by_name():
    for read, value in ((JobResult.from_json, RESULT), (Report.from_json, REPORT)):
        text = replace(value, schema_version=SCHEMA_VERSION + 1).to_json()
        with pytest.raises(ValueError, match="schema_version is 2, this program reads 1"):
            read(text)
        with pytest.raises(ValueError, match="schema_version is 0, this program reads 1"):
            read('{"schema_version": 0, "everything": "different"}')


def test_keys_that_a_later_version_adds_are_passed_over():
    assert JobResult.from_json(json.dumps({**LEAST, "later": 1})).name == "x"


def test_a_line_of_predictions_names_references_only_where_there_are_several():
    assert json.loads(Prediction("0", "a", "b", "c", False).to_line()) == {
        "id": "0",
        "source": "a",
        "target": "b",
        "predicted": "c",
        "correct": False,
    }
    line = Prediction("0", "a\n", "b", "c", True, ("b", "c")).to_line()
    assert json.loads(line)["references"] == ["b", "c"]
    assert "\n" not in line
    assert Prediction.from_line(line) == Prediction("0", "a\n", "b", "c", True, ("b", "c"))
    with pytest.raises(ValueError, match="Field required"):
        Prediction.from_line('{"id": "0"}')


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("sequence_accuracy", 1.5),
        ("sequence_accuracy", -0.1),
        ("edit_rate", -1.0),
        ("bleu", 1e15),
        ("rmse", -1),
    ],
)
def test_a_value_that_a_metric_cannot_have_is_refused(metric, value):
    text = replace(TUTORIAL, metrics={metric: value}).to_json()
    with pytest.raises(DocumentError, match=f"metrics: {metric} is .* but can only be from 0 to"):
        JobResult.from_json(text)


@pytest.mark.parametrize(
    ("metric", "value"), [("bleu", 100.00000000000004), ("edit_rate", 7.5), ("a_later_metric", -3.0)]
)
def test_rounding_and_unknown_metrics_are_not_refused(metric, value):
    assert JobResult.from_json(replace(TUTORIAL, metrics={metric: value}).to_json()).metrics == {
        metric: value
    }


@pytest.mark.parametrize(
    ("value", "bound", "text"),
    [
        (0.85, 0.9, "edit_rate is 85 %, below its threshold of 90 %"),
        (0.98999999, 0.99, "edit_rate is 98.999999 %, below its threshold of 99 %"),
        (61.123456789, 60.0, "edit_rate is 6112 %, above its threshold of 6000 %"),
        (0.99996, 0.99999, "edit_rate is 99.996 %, below its threshold of 99.999 %"),
        (0.98996, 0.98997, "edit_rate is 98.996 %, below its threshold of 98.997 %"),
        (0.00004, 0.00003, "edit_rate is 0.004 %, above its threshold of 0.003 %"),
        (None, 0.9, "edit_rate was not measured (its threshold is 90 %)"),
    ],
)
def test_a_missed_bar_never_reads_as_cleared(value, bound, text):
    assert GateOutcome("edit_rate", bound, value, False).shortfall == text


@pytest.mark.parametrize(
    ("failure", "summary"),
    [
        (Failure("E", "one\ntwo"), "E: one"),
        (Failure("E", "\n\n  one"), "E: one"),
        (Failure("E", ""), "E"),
        (Failure("E", "x" * 301), "E: " + "x" * 299 + "…"),
    ],
)
def test_the_summary_of_a_failure_fits_into_a_sentence(failure, summary):
    assert failure.summary == summary


def test_a_report_of_before_there_were_baselines_is_still_read():
    record = json.loads(REPORT.to_json())
    for key in ("comparison", "seeds"):
        del record[key]
    for key in ("problem_fingerprint", "speed_ranges"):
        del record["jobs"][0][key]
    del record["jobs"][0]["gates"][0]["advice"]
    again = Report.from_json(json.dumps(record))
    assert again == replace(REPORT, comparison=None, seeds=())


def test_a_warning_says_how_much_slower():
    assert REPORT.comparison.jobs[0].warnings == (
        "train_examples_per_second is 4,000, 2.25 times slower than 9,000",
    )
    assert REPORT.comparison.jobs[1].warnings == ()
