"""A job's section of `report.md`, read with a Markdown parser."""

import re
from dataclasses import replace

import pytest
from pages import rendered
from sample_results import SHORT, STOPPED, TUTORIAL

from job.reports.markdown_sections import section


def rows_of(result, heading):
    """Return the cells of the tables below a heading."""
    text = section(result)
    assert heading in text
    return rendered(text.split(heading)[1].split("###")[0]).cells


def analysed(**analysis):
    empty = {"by_position": [], "by_source_length": [], "confusions": [], "worst_mistakes": []}
    return replace(TUTORIAL, analysis={**empty, **analysis})


def profile(count):
    return [{"position": i, "count": 10 * (i + 1), "accuracy": i / count} for i in range(count)]


@pytest.mark.parametrize("result", [STOPPED, SHORT, replace(TUTORIAL, artifacts=(), analysis={}, also=())])
def test_a_result_without_analysis_has_no_headings_for_it(result):
    assert set(re.findall("^### (.*)$", section(result), re.MULTILINE)) <= {"Samples"}


def test_other_sizes_follow_the_training_size():
    assert rows_of(TUTORIAL, "At other sizes than it was trained on") == [
        *("size", "examples", "sequence accuracy", "token accuracy", "edit rate"),
        *("as trained", "10,000", "99.997 %", "99.999 %", "0.001 %"),
        *("source_length 8", "2,000", "50.79 %", "75.00 %", "25.00 %"),
        *("source_length 5, target_length 2", "100", "100.00 %", "100.00 %", "0.00 %"),
    ]


def test_few_positions_have_a_column_each_numbered_from_one():
    assert rows_of(analysed(by_position=profile(3)), "Accuracy by position") == [
        *("position in the target", "1", "2", "3"),
        *("tokens right", "0.00 %", "33.33 %", "66.67 %"),
        *("of", "10", "20", "30"),
    ]


def test_many_positions_are_grouped_and_weighted_by_examples():
    result = analysed(by_position=profile(57))
    cells = rows_of(result, "Accuracy by position")
    assert cells[:13] == ["position in the target", *(f"{i}-{min(i + 4, 57)}" for i in range(1, 58, 5))]
    counts = [10 * sum(range(i, min(i + 5, 58))) for i in range(1, 58, 5)]
    assert cells[-12:] == [f"{count:,}" for count in counts]
    right = sum(10 * (i + 1) * i / 57 for i in range(5)) / counts[0]
    assert cells[14] == f"{100 * right:.2f} %"
    assert "has each of the 57." in section(result)


def test_lengths_are_shown_after_positions_unless_there_is_only_one():
    lengths = [{"length": n, "count": n, "accuracy": 0.5} for n in (3, 5, 12)]
    assert rows_of(analysed(by_source_length=lengths), "Accuracy by position") == [
        *("tokens of the source", "3", "5", "12"),
        *("sequences right", "50.00 %", "50.00 %", "50.00 %"),
        *("of", "3", "5", "12"),
    ]
    assert "Accuracy" not in section(analysed(by_source_length=lengths[:1]))


def test_the_most_frequent_confusions_are_listed_and_the_others_counted():
    pairs = [{"target": f"t{i}", "predicted": f"p{i}", "count": 100 - i} for i in range(14)]
    mistakes = TUTORIAL.analysis["worst_mistakes"]
    text = section(analysed(confusions=pairs, worst_mistakes=mistakes))
    assert "`t0` → `p0` (100), `t1` → `p1` (99)" in text
    assert "`t9` → `p9` (91); `report.json` has 4 more." in text
    few = section(analysed(confusions=pairs[:2], worst_mistakes=mistakes))
    assert "`t1` → `p1` (99).\n" in few


def test_the_worst_mistakes_have_their_texts():
    assert rows_of(TUTORIAL, "The worst") == [
        *("id", "source", "target", "predicted", "edits"),
        *("17", "1 2 3 4 5 6", "3 2 1", "3 1 2", "2"),
        *("1", "a|b", "(empty)", "`", "1"),
    ]


def test_drawings_are_shown_if_the_job_left_them():
    text = section(TUTORIAL)
    for name in ("accuracy", "attention", "contexts"):
        assert f"](jobs/tutorial/{name}.svg)" in text
    without = replace(TUTORIAL, artifacts=tuple(a for a in TUTORIAL.artifacts if a.path != "attention.svg"))
    text = section(without)
    assert "attention" not in text.lower()
    assert "contexts.svg" in text
