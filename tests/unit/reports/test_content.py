from dataclasses import replace

import pytest
from sample_results import SHORT, STOPPED, TUTORIAL

from job.reports import content
from job.reports.content import remarks
from job.reports.html import html_page
from job.reports.markdown import markdown
from job.results.batch_report import MetricOverSeeds, SeedsSummary, SetAside
from job.results.job_result import GateOutcome
from job.storage.artifacts import OutputPaths


@pytest.mark.parametrize(
    ("name", "value", "threshold", "text", "condition"),
    [
        ("sequence_accuracy", 0.989, 0.99, "98.90 %", "at least 99.00 %"),
        ("sequence_accuracy", 0.98996, 0.99, "98.996 %", "at least 99.00 %"),
        ("sequence_accuracy", 0.9899999999, 0.99, "98.99999999 %", "at least 99.00 %"),
        ("sequence_accuracy", 0.987649, 0.98765, "98.76 %", "at least 98.765 %"),
        ("sequence_accuracy", 0.990041, 0.990049, "99.00 %", "at least 99.0049 %"),
        ("sequence_accuracy", 0.28999, 0.29, "28.999 %", "at least 29.00 %"),
        ("edit_rate", 0.10001, 0.1, "10.001 %", "at most 10.00 %"),
        ("bleu", 29.999, 30, "29.999", "at least 30.00"),
        ("train_seconds", 60.04, 60.0, "60.04 s", "at most 60.0 s"),
        ("train_seconds", 1234.52, 1234.5, "1,234.52 s", "at most 1,234.5 s"),
        ("train_examples_per_second", 999.7, 1000, "999.7 examples/second", "at least 1,000 examples/second"),
        ("rmse", 71.001, 71.0, "71.001", "at most 71"),
        ("rmse", 1200.4, 1200, "1,200.4", "at most 1,200"),
    ],
)
def test_a_failed_value_has_enough_digits_to_differ_from_its_threshold(
    name, value, threshold, text, condition
):
    outcome = GateOutcome(name, threshold, value, False)
    assert content.metric_value(replace(STOPPED, gates=(outcome,)), name, value) == text
    assert content.gate_condition(outcome) == condition


def test_a_value_that_passed_its_gate_has_the_usual_digits():
    outcome = GateOutcome("sequence_accuracy", 0.99, 0.990001, True)
    assert (
        content.metric_value(replace(STOPPED, gates=(outcome,)), "sequence_accuracy", 0.990001) == "99.00 %"
    )


def test_gates_in_words():
    assert content.gates_in_words(TUTORIAL) == "2 passed"
    assert content.gates_in_words(SHORT) == "2/3 failed"
    assert content.gates_in_words(STOPPED) == "none"


def test_a_gate_condition_names_its_direction():
    assert [content.gate_condition(outcome) for outcome in TUTORIAL.gates] == [
        "at least 99.00 %",
        "at most 60.0 s",
    ]


def test_metrics_are_in_the_order_of_their_table_with_unknown_ones_last():
    results = [replace(STOPPED, metrics={"zeta": 1.0, "alpha": 1.0}), SHORT]
    assert content.metric_names(results) == (
        "sequence_accuracy",
        "token_accuracy",
        "edit_rate",
        "chrf",
        "alpha",
        "zeta",
    )


def test_each_kind_of_job_has_a_leading_metric():
    results = [SHORT, TUTORIAL, STOPPED, replace(STOPPED, metrics={"edit_rate": 0.5})]
    validation = "validation.sequence_accuracy"
    assert content.leading_metrics(results) == ("sequence_accuracy", "edit_rate", validation)
    assert content.measured(TUTORIAL, validation) == 0.9925
    assert content.measured(SHORT, validation) is None
    assert content.column_title(validation) == "validation sequence accuracy"


def test_counts_of_one_job_and_of_none(make_report):
    assert content.counts(make_report(TUTORIAL)) == "1 job: 1 passed; 1 trained now"
    assert content.counts(make_report()) == "0 jobs"
    report = make_report(TUTORIAL, SHORT, STOPPED, missing=("x",), reused=("tutorial",))
    assert content.counts(report) == (
        "4 jobs: 1 passed, 1 gate failed, 1 interrupted, 1 missing; "
        "1 already done, 1 trained now, 1 not finished"
    )


# --- remarks ------------------------------------------------------------------------------------------------

SEEDS = SeedsSummary(
    name="sums",
    seeds=(1, 2, 3),
    jobs=("sums-seed-1", "sums-seed-2", "sums-seed-3"),
    absent=(),
    gate_on="mean",
    metrics=(MetricOverSeeds("sequence_accuracy", (0.97, 0.98, 0.99), 0.98, 0.01, 0.9552, 1.0),),
    gates=(GateOutcome("sequence_accuracy", 0.985, 0.98, False, "about 20 seeds would settle it"),),
    validation=(
        MetricOverSeeds("sequence_accuracy", (0.96, 0.96, 0.96), 0.96, 0.0, 0.96, 0.96),
        MetricOverSeeds("edit_rate", (0.01, 0.01, 0.01), 0.01, 0.0, 0.01, 0.01),
    ),
)


def test_a_job_with_seeds_has_its_mean_deviation_and_interval(make_report):
    report = replace(make_report(TUTORIAL), seeds=(SEEDS,))
    assert [*remarks(report)] == [
        "sums over 3 of 3 seeds: sequence accuracy 98.00 %, standard deviation 1.00 %, "
        "95 % interval 95.52 % to 100.00 %",
        "sums over 3 of 3 seeds: validation sequence accuracy 96.00 %, standard deviation 0.00 %, "
        "95 % interval 96.00 % to 96.00 %",
        "sums: the gate on the mean, sequence accuracy at least 98.50 %, failed",
        "sums over 3 seeds: sequence accuracy 98.00 % is near its threshold of 98.50 %: "
        "about 20 seeds would settle it",
    ]
    assert "- sums over 3 of 3 seeds: sequence accuracy 98.00 %, standard" in markdown(report)


def test_a_mean_that_is_not_judged_is_reported(make_report):
    metric = MetricOverSeeds("sequence_accuracy", (0.97, None, None), 0.97, None, None, None)
    part = replace(SEEDS, absent=SEEDS.jobs[1:], metrics=(metric,), gates=(), validation=())
    assert [*remarks(replace(make_report(TUTORIAL), seeds=(part,)))] == [
        "sums over 1 of 3 seeds: sequence accuracy 97.00 %",
        "sums: the gates on the mean are not judged without sums-seed-2, sums-seed-3",
    ]


def test_a_value_within_sampling_error_of_its_threshold_is_named(make_report):
    near = GateOutcome("sequence_accuracy", 0.99, 0.9912, True, "about 20,000 test examples would settle it")
    report = make_report(replace(TUTORIAL, gates=(near,)))
    assert [*remarks(report)] == [
        "tutorial: sequence accuracy 99.12 % is near its threshold of 99.00 %: "
        "about 20,000 test examples would settle it"
    ]
    assert [*remarks(make_report(TUTORIAL))] == []


def test_directories_set_aside_for_one_reason_are_one_sentence(make_report, tmp_path):
    def aside(name, reason="it is of another evaluation section"):
        return SetAside(name, reason, f"superseded/{name}-0a1b2c3d")

    report = replace(
        make_report(TUTORIAL), set_aside=(aside("a"), aside("b"), aside("c", "its model is damaged"))
    )
    sentences = [
        "a and 1 more: what was there before is in superseded/, by the names of the jobs, because it is of "
        "another evaluation section",
        "c: what was there before is in superseded/c-0a1b2c3d, because its model is damaged",
    ]
    assert [*remarks(report)] == sentences
    assert all(f"<p>{sentence}.</p>" in html_page(report, OutputPaths(tmp_path)) for sentence in sentences)
