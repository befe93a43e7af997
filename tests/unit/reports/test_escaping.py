"""Text from outside at every boundary: one hostile text, and every output that could contain it."""

import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from pages import NASTY, rendered
from rich.console import Console
from sample_results import BROKEN, SHORT, TUTORIAL

from job.batch.progress import Log
from job.reports import escaping
from job.reports.escaping import code, fenced, prose
from job.reports.github import workflow_commands
from job.reports.html import html_page
from job.reports.junit import junit_xml
from job.reports.markdown import comparison_markdown, markdown
from job.reports.prometheus import metrics_text
from job.reports.svg import svg
from job.reports.tables import Column, print_table
from job.reports.terminal import print_comparison, print_summary
from job.results.comparison_records import Comparison, JobComparison
from job.results.job_result import Failure
from job.results.predictions import Prediction
from job.storage.artifacts import OutputPaths

HOSTILE = (
    "\x1b[31mred\x9b2J\x07\r\n::error::owned\n ##[error]owned ##vso[task.complete] [red]no[/red] "
    "<script>alert(1)</script> **bold** | [link](http://evil.example/) \u202egnp.exe\u2066 \udc80 \x00 "
    "\u2028 \u200b."
)
UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
COMMAND = re.compile(r"^\s*::|##\[|##vso\[|##teamcity\[", re.MULTILINE)


def safe(text):
    """Assert that neither a terminal nor a CI system interprets the text, and return it."""
    assert UNSEEN.search(text) is None
    assert COMMAND.search(text) is None
    return text


@pytest.fixture
def hostile(make_report):
    """A report in which every text is hostile."""
    bad = replace(
        TUTORIAL,
        name=HOSTILE,
        metrics={**TUTORIAL.metrics, HOSTILE: 0.5},
        timings={**TUTORIAL.timings, HOSTILE: 1.0},
        samples=(Prediction(HOSTILE, HOSTILE, HOSTILE, HOSTILE + "x", False),),
        data=replace(TUTORIAL.data, problem={HOSTILE: HOSTILE}, not_measured={HOSTILE: HOSTILE}),
        spec={"problem": {"kind": HOSTILE, HOSTILE: [HOSTILE]}},
        environment={HOSTILE: {HOSTILE: [HOSTILE]}, "git_commit": HOSTILE},
        analysis={
            **TUTORIAL.analysis,
            "confusions": [{"target": HOSTILE, "predicted": HOSTILE, "count": 1}],
            "worst_mistakes": [
                {
                    "id": HOSTILE,
                    "edit_distance": 1,
                    "source": HOSTILE,
                    "target": HOSTILE,
                    "predicted": HOSTILE,
                }
            ],
        },
        also=({"sizes": {HOSTILE: [HOSTILE]}, "examples": 1, "metrics": {HOSTILE: 0.5}},),
    )
    broken = replace(BROKEN, error=Failure(HOSTILE, HOSTILE, HOSTILE))
    report = make_report(bad, broken, SHORT, missing=(HOSTILE + "missing",))
    jobs = (
        JobComparison(HOSTILE, "not_comparable", HOSTILE),
        JobComparison("b", "new", HOSTILE, speed_note=HOSTILE),
    )
    return replace(
        report,
        verdict=replace(report.verdict, reasons=(HOSTILE,)),
        comparison=Comparison(HOSTILE, HOSTILE, HOSTILE, jobs),
    )


@pytest.mark.parametrize("width", [40, 80, 300])
@pytest.mark.parametrize("tty", [False, True])
def test_the_terminal_shows_the_text_and_does_not_interpret_it(hostile, width, tty):
    file = io.StringIO()
    print_summary(
        hostile, Console(file=file, width=width, force_terminal=tty, color_system="standard" if tty else None)
    )
    text = file.getvalue()
    if tty:
        text = re.sub("\x1b\\[[0-9;]*m", "", text)  # the table's own colours
    safe(text)
    assert "[red]no[/red]" in text
    assert "␛[31mred" in text


@pytest.mark.parametrize("machine", [False, True])
def test_progress_lines(machine):
    said = []
    log = Log(said.append, machine=machine)
    log.begun(1)
    log.reused(HOSTILE, HOSTILE)
    log.started(HOSTILE)
    log.retried(HOSTILE, Failure(HOSTILE, HOSTILE))
    log.started(HOSTILE)
    log.finished(replace(BROKEN, name=HOSTILE, error=Failure(HOSTILE, HOSTILE)))
    assert len(said) == 6
    for line in said:
        assert "\n" not in safe(line)
    if machine:
        assert json.loads(said[1])["job"] == HOSTILE


def test_markdown(hostile):
    text = safe(markdown(hostile))
    outside = re.sub("```text.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    for markup in ("<script>", "**bold", "[link"):
        assert re.search(rf"(?<!\\){re.escape(markup)}", outside) is None


def test_html(hostile, tmp_path):
    text = html_page(hostile, OutputPaths(tmp_path))
    assert UNSEEN.search(text) is None
    assert "<script" not in text
    assert "&lt;script&gt;" in text


def test_junit_is_valid_xml_that_shows_the_text(hostile):
    document = junit_xml(hostile)
    names = {case.get("name") for case in ET.fromstring(document).iter("testcase")}
    assert any("red" in name and "\x1b" not in name for name in names)
    assert re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202e]", document.decode()) is None


def test_prometheus_lines_are_not_broken(hostile):
    text = metrics_text(hostile)
    assert UNSEEN.search(text) is None
    line = re.compile(r'(#.*|[a-z0-9_]+(\{([a-z_]+="([^"\\]|\\["\\n])*",?)+\})? -?[0-9.e+-]+)')
    assert [each for each in text.splitlines() if not line.fullmatch(each)] == []


def test_workflow_commands_are_one_line_each_and_the_text_adds_none(hostile):
    for line in workflow_commands(hostile, {"GITHUB_ACTIONS": "true"}):
        assert UNSEEN.search(line) is None
        assert "\n" not in line
        assert line.startswith(("::error title=", "::warning title="))
        assert "##[" not in line


def test_a_comparison_on_the_terminal_and_as_markdown(hostile):
    file = io.StringIO()
    print_comparison(hostile.comparison, Console(file=file, width=60))
    assert "[red]no[/red]" in safe(file.getvalue())
    safe(comparison_markdown(hostile.comparison))


def test_drawings_have_no_characters_that_are_invalid_in_xml():
    text = svg(lambda figure: None, width=2, height=2, title=HOSTILE, description=HOSTILE)
    ET.fromstring(text)
    assert "\u202e" not in text


def test_a_table_escapes_its_cells():
    file = io.StringIO()
    print_table([Column("job"), Column("x")], [[HOSTILE, HOSTILE]], Console(file=file, width=1000))
    assert "[red]no[/red]" in safe(file.getvalue())


def test_harmless_text_is_unchanged():
    for text in ("a::b::c", "std::vector", "# heading", "Größe 日本 नि\u200dल 👩\u200d🚀", "50 %", "a ## b"):
        assert escaping.terminal(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\n\x1b[31m\x7f\x85\u2028é", "a␉b␊␛[31m␡\ufffd\ufffdé"),
        ("::add-mask::x", ": :add-mask::x"),
        ("x ::error file=a::y", "x : :error file=a::y"),
        ("x##[group]", "x# #[group]"),
        ("\u202eabc\u202c", "\ufffdabc\ufffd"),
        ("\ud83d", "\ufffd"),
    ],
)
def test_text_for_the_terminal(text, shown):
    assert escaping.terminal(text) == shown


def test_a_json_document_keeps_its_value():
    value = {"a": "\x9b ##[error] \u202e \U000e0041 ::x::", "b": ["##vso[x]"]}
    text = escaping.json_document(json.dumps(value, ensure_ascii=False, indent=1))
    safe(text)
    assert json.loads(text) == value


@pytest.mark.parametrize(
    "text", ["- item", "+ item", "1. item", "2) item", "=====", "---", "http://a.b/c", "www.a.b"]
)
def test_prose_starts_no_block_and_has_no_link(text):
    assert escaping.prose(text) != text


def test_prose_does_not_change_numbers():
    assert [escaping.prose(text) for text in ("-5.0 %", "12.5 s", "99.00 %")] == [
        "-5.0 %",
        "12.5 s",
        "99.00 %",
    ]


def test_long_text_is_cut_to_the_given_length():
    assert escaping.shortened("abcdef", 4) == "abc…"
    assert escaping.shortened("abcd", 4) == "abcd"


# --- Markdown -----------------------------------------------------------------------------------------------


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
def test_code_makes_invisible_characters_visible(text, shown):
    assert rendered(code(text)).text.strip() == shown


def test_code_of_an_empty_text():
    assert code("") == "*(empty)*"


@pytest.mark.parametrize("text", NASTY)
def test_prose_shows_the_exact_text_without_markup(text):
    page = rendered(prose("see " + text))
    assert page.text.strip() == "see " + text
    assert page.elements == ["p"]


@pytest.mark.parametrize("text", ["plain", "```\nx\n```", "````", "<b>&amp;</b>\n# no heading"])
def test_a_fence_is_longer_than_any_in_the_text(text):
    page = rendered(fenced(text) + "\n\nafter")
    assert page.elements == ["pre", "code", "p"]
    assert page.text.split() == [*text.split(), "after"]
