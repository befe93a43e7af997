"""`report.md`, read back with a Markdown parser: what is shown must be what was given.

The golden file is made anew by `UPDATE_GOLDEN=1 pytest tests/unit/reports`; read its diff before committing.
"""

import re
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser

import pytest
from markdown_it import MarkdownIt
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL

from job.reports.build import build_report
from job.reports.markdown import code, fenced, markdown, prose
from job.results import Failure, Prediction, Verdict

NASTY = [
    "a|b",
    "a\\|b",
    "\\",
    "`",
    "``a`|",
    "<script>alert(1)</script>",
    "a|<b>&amp;</b>",
    "*x* _y_ __z__ ~~w~~ $m$ [t](u) ![i](j)",
    "|*x* _y_ __z__ a_b ~~w~~ [t](u) ![i](j) &lt; \"q\" 'r'",
    "12+345",
    "HH AH0 L OW1",
    "don't",
    "日本語|é",
]


class _Text(HTMLParser):
    """Collects the text of an HTML page, cell by cell, and the names of its elements."""

    def __init__(self, html):
        super().__init__()
        self.cells, self.elements, self.text, self.in_cell = [], [], "", False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")
            self.in_cell = True

    def handle_endtag(self, tag):
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data):
        self.text += data
        if self.in_cell:
            self.cells[-1] += data


def report_of(result):
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    return build_report([result], started_at=now, finished_at=now, verdict=Verdict(1, ()))


def test_a_job_that_was_stopped_says_by_what_and_has_not_failed():
    text = markdown(report_of(replace(STOPPED, error=Failure("Interrupted", "stopped by SIGTERM; go on"))))
    assert "Not finished: stopped by SIGTERM; go on." in text
    assert "Failed" not in text


def test_a_job_that_was_cut_off_and_went_on_says_from_where():
    text = markdown(report_of(replace(SHORT, data={**SHORT.data, "resumed_from_step": 1234})))
    assert " It was cut off, and went on from step 1,234." in text
    assert text.replace(" It was cut off, and went on from step 1,234.", "") == markdown(report_of(SHORT))
    unbroken = replace(SHORT, data={**SHORT.data, "resumed_from_step": None})
    assert markdown(report_of(unbroken)) == markdown(report_of(SHORT))


def test_a_job_that_was_tried_again_says_how_often():
    assert "in the last of 2 attempts" in markdown(report_of(replace(BROKEN, attempts=2)))
    assert "attempts" not in markdown(report_of(BROKEN))


def rendered(text):
    return _Text(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))


def test_reads_as_the_golden_file(mixed, golden):
    golden("report.md", markdown(mixed))


@pytest.mark.parametrize("text", NASTY)
def test_code_shows_the_exact_text_in_a_table_cell(text):
    page = rendered(f"| head | next |\n| --- | --- |\n| {code(text)} | end |")
    assert [cell.strip() for cell in page.cells[2:]] == [text, "end"]
    assert set(page.elements) == {"table", "thead", "tbody", "tr", "th", "td", "code"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r", "a␊b␍"),
        (" a  b ", "␣a ␣b␣"),
        ("   ", "␣␣␣"),
        ("\ta", "␉a"),
        ("x" * 201, "x" * 199 + "…"),
    ],
)
def test_code_makes_what_would_be_lost_visible(text, shown):
    assert rendered(code(text)).text.strip() == shown


def test_code_of_nothing_says_so():
    assert code("") == "*(empty)*"


@pytest.mark.parametrize("text", NASTY)
def test_prose_shows_the_exact_text_without_markup(text):
    page = rendered(prose("see " + text))
    assert page.text.strip() == "see " + text
    assert page.elements == ["p"]


@pytest.mark.parametrize("text", ["plain", "```\nx\n```", "````", "<b>&amp;</b>\n# no heading"])
def test_a_fence_holds_any_text(text):
    page = rendered(fenced(text) + "\n\nafter")
    assert page.elements == ["pre", "code", "p"]
    assert page.text.split() == [*text.split(), "after"]


def test_a_hostile_job_breaks_no_table(make_report):
    samples = tuple(Prediction(str(i), text, text, text, True) for i, text in enumerate(NASTY))
    error = Failure("E", "```\n| x |\n<script>alert(1)</script>", "t.txt")
    result = replace(
        BROKEN, samples=samples, error=error, spec={"problem": {"file": "<script>|`"}}, data={"<i>": "|`<i>"}
    )
    page = rendered(markdown(make_report(result)))
    assert "script" not in page.elements
    assert "i" not in page.elements
    assert page.cells.count("right") == len(NASTY)
    for text in NASTY:
        assert page.cells.count(text) == 3


def test_the_verdict_comes_first_with_all_reasons(mixed):
    lines = markdown(mixed).splitlines()
    assert lines[0] == "# Exit code 1: at least one job failed"
    assert len([line for line in lines[:8] if line.startswith("- ")]) == len(mixed.verdict.reasons) == 4


def test_every_job_has_a_row_and_every_result_a_section(mixed):
    text = markdown(mixed)
    assert re.findall(r"^## `(.*)`: ", text, re.MULTILINE) == [job.name for job in mixed.jobs]
    for name in [*(job.name for job in mixed.jobs), "never-run"]:
        assert f"\n| `{name}` | " in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"test_examples": 10_000, "seen_in_training": 3, "source_space": 10**9}, "are 1,000,000,000 diff"),
        ({"test_examples": 100, "seen_in_training": 97, "source_space": 121}, "There are only 121 different"),
        ({"test_examples": 100, "seen_in_training": 97, "source_space": None}, "97 of them (97.00 %) also"),
        ({"test_examples": 0, "seen_in_training": 0, "source_space": None}, "Evaluated on 0 test sources"),
    ],
)
def test_says_how_much_of_the_test_was_trained_on(make_report, data, expected):
    text = markdown(make_report(replace(TUTORIAL, data=data)))
    assert expected in text
    assert ("different sources" in text) == (data["source_space"] is not None)


def test_says_on_how_much_it_was_trained(make_report):
    assert "\nTrained on 100,000 examples in 1 epoch, 782 steps.\n" in markdown(make_report(TUTORIAL))
    assert (
        "\nTrained on 3,000 examples in 3 epochs, 24 steps, stopped early; "
        "the weights are those of epoch 2.\n"
    ) in markdown(make_report(SHORT))


def test_other_facts_about_the_data_are_listed_but_none_twice(make_report):
    assert "\nData: left_out `0`.\n" in markdown(make_report(SHORT))
    assert "\nData: vocabulary `51`.\n" in markdown(make_report(TUTORIAL))


def test_a_report_of_nothing_has_no_table(make_report):
    text = markdown(make_report())
    assert "no job was run" in text
    assert "|" not in text
