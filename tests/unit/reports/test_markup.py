"""What is shown must be what was given."""

import pytest
from pages import NASTY, rendered

from job.reports.escaping import code, fenced, prose


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
