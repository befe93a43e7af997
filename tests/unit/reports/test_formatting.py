from dataclasses import replace

import pytest
from sample_results import SHORT, STOPPED, TUTORIAL

from job.reports import formatting as wording
from job.results.records import GateOutcome


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0.00 %"),
        (1.0, "100.00 %"),
        (0.5, "50.00 %"),
        (0.99994, "99.99 %"),
        (0.99996, "99.996 %"),
        (1 / 3, "33.33 %"),
        (0.507927, "50.79 %"),
        (0.9898, "98.98 %"),
        (0.999999, "99.9999 %"),
        (0.00001, "0.001 %"),
        (1e-9, "0.0000001 %"),
        (1 - 1e-9, "99.9999999 %"),
        (1.25, "125.00 %"),
    ],
)
def test_a_percentage_has_two_decimals_but_never_rounds_to_perfect(fraction, text):
    assert wording.percent(fraction) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sequence_accuracy", 0.9123, "91.23 %"),
        ("train_seconds", 8.831, "8.83 s"),
        ("compile_seconds", 1234.56, "1,234.6 s"),
        ("decoded_sequences_per_second", 31234.5, "31,234 sequences/second"),
        ("some_later_metric", 12.3456, "12.35"),
        ("rmse", 7.584154e46, "7.58415e+46"),
    ],
)
def test_quantities_carry_their_unit(name, value, text):
    assert wording.quantity(name, value) == text


@pytest.mark.parametrize(
    ("name", "value", "bound", "text", "condition"),
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
def test_a_value_that_missed_its_bar_never_reads_as_if_it_had_cleared_it(name, value, bound, text, condition):
    outcome = GateOutcome(name, bound, value, False)
    assert wording.measured(replace(STOPPED, gates=(outcome,)), name, value) == text
    assert wording.bar(outcome) == condition


def test_a_value_that_cleared_its_bar_is_written_as_ever():
    outcome = GateOutcome("sequence_accuracy", 0.99, 0.990001, True)
    assert wording.measured(replace(STOPPED, gates=(outcome,)), "sequence_accuracy", 0.990001) == "99.00 %"


@pytest.mark.parametrize(
    ("values", "most", "expected"),
    [
        ([], 3, []),
        ([5], 3, [(5, 5)]),
        ([3, 1, 2, 3], 3, [(1, 1), (2, 2), (3, 3)]),
        (range(1, 8), 3, [(1, 3), (4, 6), (7, 7)]),
        ([1, 2, 3, 1000], 2, [(1, 2), (3, 1000)]),
    ],
)
def test_ranges_hold_as_many_different_values(values, most, expected):
    assert wording.ranges(values, most) == expected
    assert [wording.span(*each) for each in [(3, 3), (3, 5)]] == ["3", "3-5"]


def test_gates_in_a_few_words():
    assert wording.gates(TUTORIAL) == "2 cleared"
    assert wording.gates(SHORT) == "2/3 missed"
    assert wording.gates(STOPPED) == "none"


def test_a_bar_names_its_direction():
    assert [wording.bar(outcome) for outcome in TUTORIAL.gates] == ["at least 99.00 %", "at most 60.0 s"]


def test_metrics_come_in_the_order_of_their_table_with_unknown_ones_last():
    results = [replace(STOPPED, metrics={"zeta": 1.0, "alpha": 1.0}), SHORT]
    assert wording.metric_names(results) == (
        "sequence_accuracy",
        "token_accuracy",
        "edit_rate",
        "chrf",
        "alpha",
        "zeta",
    )


def test_each_kind_of_job_has_a_leading_metric():
    results = [SHORT, TUTORIAL, STOPPED, replace(STOPPED, metrics={"edit_rate": 0.5})]
    assert wording.leading_metrics(results) == ("sequence_accuracy", "edit_rate")


def test_counts_of_one_job_and_of_none(make_report):
    assert wording.counts(make_report(TUTORIAL)) == "1 job: 1 passed; 1 trained now"
    assert wording.counts(make_report()) == "0 jobs"
    report = make_report(TUTORIAL, SHORT, STOPPED, missing=("x",), reused=("tutorial",))
    assert wording.counts(report) == (
        "4 jobs: 1 passed, 1 gate failed, 1 interrupted, 1 missing; "
        "1 already done, 1 trained now, 1 not finished"
    )
