from dataclasses import replace

import pytest
from sample_results import SHORT, STOPPED, TUTORIAL

from job.reports import wording


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0.00 %"),
        (1.0, "100.00 %"),
        (0.5, "50.00 %"),
        (0.99994, "99.994 %"),
        (1 / 3, "33.3333 %"),
        (0.9898, "98.98 %"),
        (0.999999, "99.9999 %"),
        (0.00001, "0.001 %"),
        (1.25, "125.00 %"),
    ],
)
def test_a_percentage_never_rounds_to_perfect(fraction, text):
    assert wording.percent(fraction) == text


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("sequence_accuracy", 0.9123, "91.23 %"),
        ("train_seconds", 8.831, "8.83 s"),
        ("compile_seconds", 1234.56, "1,234.6 s"),
        ("decoded_sequences_per_second", 31234.5, "31,234 sequences/second"),
        ("some_later_metric", 12.3456, "12.35"),
    ],
)
def test_quantities_carry_their_unit(name, value, text):
    assert wording.quantity(name, value) == text


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
        "alpha",
        "zeta",
    )


def test_each_kind_of_job_has_a_leading_metric():
    results = [SHORT, TUTORIAL, STOPPED, replace(STOPPED, metrics={"edit_rate": 0.5})]
    assert wording.leading_metrics(results) == ("sequence_accuracy", "edit_rate")


def test_control_characters_become_pictures():
    assert wording.visible("a\tb\n\x1b[31m\x7f\x85\u2028é") == "a␉b␊␛[31m␡\ufffd\ufffdé"


def test_long_text_is_cut_to_the_length_asked_for():
    assert wording.shortened("abcdef", 4) == "abc…"
    assert wording.shortened("abcd", 4) == "abcd"


def test_counts_of_one_job_and_of_none(make_report):
    assert wording.counts(make_report(TUTORIAL)) == "1 job: 1 passed; 1 trained now"
    assert wording.counts(make_report()) == "0 jobs"
    report = make_report(TUTORIAL, SHORT, STOPPED, missing=("x",), reused=("tutorial",))
    assert wording.counts(report) == (
        "4 jobs: 1 passed, 1 gate failed, 1 interrupted, 1 missing; "
        "1 already done, 1 trained now, 1 not finished"
    )
