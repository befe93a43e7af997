"""Changes as lines of text."""

from __future__ import annotations

import pytest

from job.reports.what_changed import (
    MAX_CHANGES,
    NOTHING_CHANGED,
    change_lines,
    change_text,
    commit_lines,
    comparison_changes,
)
from job.results.comparison_records import ChangedSetting, Comparison, JobComparison

RATE = ChangedSetting("training.optimizer.learning_rate", 0.006, 0.003)
SEED = ChangedSetting("seed", 7, 8)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (RATE, "training.optimizer.learning_rate 0.006 -> 0.003"),
        (ChangedSetting("model.bidirectional", False, True), "model.bidirectional false -> true"),
        (ChangedSetting("gate.min_bleu", None, 3), "gate.min_bleu none -> 3"),
        (
            ChangedSetting("data.files.a.tsv", "0123456789", "fedcba9876"),
            "data.files.a.tsv 01234567 -> fedcba98",
        ),
        (ChangedSetting("git_commit", "c0ffee" * 6, "d" * 40), "git_commit c0ffeec0ffee -> dddddddddddd"),
        (ChangedSetting("machine.processor", "x" * 61, "y"), f"machine.processor {'x' * 60}... -> y"),
    ],
)
def test_a_change(change, text):
    assert change_text(change) == text


def test_a_change_that_only_some_jobs_have_names_them():
    lines = change_lines({"a": [RATE, SEED], "b": [RATE], "c": [RATE]})
    assert [*lines] == ["training.optimizer.learning_rate 0.006 -> 0.003", "seed 7 -> 8 (a)"]
    many = {name: [SEED] for name in "abcde"} | {"f": []}
    assert [*change_lines(many)] == ["seed 7 -> 8 (a, b, c and 2 more)"]


def test_many_changes_are_cut():
    lines = [*change_lines({"a": [ChangedSetting(f"k{i}", 1, 2) for i in range(MAX_CHANGES + 3)]})]
    assert len(lines) == MAX_CHANGES + 1
    assert lines[-1] == "3 more changes are in the JSON"


def test_commits():
    assert [*commit_lines((), 0)] == []
    assert [*commit_lines(("abc one",), 1)] == ["1 commit between the two, the newest first:", "abc one"]
    assert [*commit_lines(("abc one",), 3)][-1] == "and 2 earlier ones"


def comparison(*changes, **fields):
    jobs = tuple(
        JobComparison(f"job-{number}", "unchanged", "", changes=each) for number, each in enumerate(changes)
    )
    return Comparison("base", "2026-07-01T02:00:00+00:00", None, jobs, **fields)


def test_a_comparison_without_changes_states_that():
    assert [*comparison_changes(comparison((), ()))] == [NOTHING_CHANGED]


def test_a_comparison_of_an_earlier_version_has_no_lines():
    assert [*comparison_changes(comparison(None))] == []


def test_a_comparison_lists_changes_and_commits():
    found = comparison((RATE,), None, (RATE,), commits=("abc one",), commit_count=1)
    assert [*comparison_changes(found)] == [
        "training.optimizer.learning_rate 0.006 -> 0.003",
        "1 commit between the two, the newest first:",
        "abc one",
    ]
