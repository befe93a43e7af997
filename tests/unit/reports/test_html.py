"""`report.html`, read with an HTML parser; tests/browser opens it in a browser."""

import base64
import re
from dataclasses import replace

import pytest
from pages import NASTY, _Text
from sample_results import BROKEN, SHORT, STOPPED, TUTORIAL
from test_markdown import hostile

from job.reports.content import sorted_jobs
from job.reports.html import html_page
from job.results.batch_report import MetricOverSeeds, Report, SeedsSummary
from job.results.comparison_records import (
    ChangedSetting,
    Comparison,
    FlippedExample,
    JobComparison,
    MetricComparison,
    SpeedComparison,
)
from job.results.job_result import Failure, GateOutcome
from job.results.predictions import Prediction
from job.storage.artifacts import OutputPaths

DRAWING = '<svg xmlns="http://www.w3.org/2000/svg"><desc>Loss &amp; more.</desc><path id="{}"/></svg>'
FILES = ("curves.svg", "accuracy.svg", "attention.svg", "contexts.svg")


@pytest.fixture
def output(tmp_path):
    """Return an output directory with the drawings of the job `tutorial`."""
    paths = OutputPaths(tmp_path)
    paths.job("tutorial").directory.mkdir(parents=True)
    for file in FILES:
        (paths.job("tutorial").directory / file).write_text(DRAWING.format(file), "utf-8")
    return paths


def drawings(text):
    return [base64.b64decode(data).decode() for data in re.findall(r'src="data:[^,]*;base64,([^"]*)"', text)]


def section(text, name):
    return text[text.index(f'<section class="job" id="job-{name}">') :].partition("</section>")[0]


def test_the_verdict_comes_first_with_all_reasons(mixed, output):
    page = _Text(html_page(mixed, output))
    body = page.text[page.text.index("Skip to the jobs") :]
    at = [body.index(text) for text in ["Exit code 1", *mixed.verdict.reasons, "5 jobs: 1 passed"]]
    assert at == sorted(at)
    assert len(mixed.verdict.reasons) == 4


def test_every_job_has_a_row_and_every_result_a_section(mixed, output):
    text = html_page(mixed, output)
    assert re.findall(r'<section class="job" id="job-(.*?)">', text) == [
        job.name for job in sorted_jobs(mixed)
    ]
    rows = re.findall(r'<th scope="row"><a href="#job-(.*?)">', text)
    assert rows == [job.name for job in sorted_jobs(mixed)]
    assert '<th scope="row">never-run</th>' in text


def test_drawings_are_embedded_with_their_descriptions(mixed, output):
    text = html_page(mixed, output)
    order = ["curves.svg", "accuracy.svg", "contexts.svg", "attention.svg"]
    assert drawings(text) == [DRAWING.format(file) for file in order]
    assert text.count('alt="Loss &amp; more."') == len(FILES)


def test_a_missing_drawing_is_left_out(mixed, output):
    (output.job("tutorial").directory / "curves.svg").unlink()
    text = html_page(mixed, output)
    assert len(drawings(text)) == 3
    assert 'href="jobs/tutorial/curves.svg">jobs/' not in text


def test_if_drawings_are_too_large_those_of_passed_jobs_are_linked(make_report, output):
    failed = replace(TUTORIAL, name="failed", status="gate_failed")
    directory = output.job("failed").directory
    directory.mkdir()
    for file in FILES:
        (directory / file).write_text(DRAWING.format("failed"), "utf-8")
    text = html_page(
        make_report(TUTORIAL, failed), output, max_picture_bytes=4 * len(DRAWING.format("failed"))
    )
    assert drawings(text) == [DRAWING.format("failed")] * 4
    assert section(text, "tutorial").count("left out of this page") == 4
    assert 'href="jobs/tutorial/curves.svg"' in section(text, "tutorial")


def test_a_hostile_job_adds_no_markup(make_report, output):
    text = html_page(make_report(hostile()), output)
    page = _Text(text)
    assert not {"script", "i", "b", "iframe"} & set(page.elements)
    assert "javascript:" not in text
    for nasty in NASTY:
        assert page.cells.count(nasty) == 4  # a sample's three texts, and a mistake's target


def test_the_page_loads_nothing_and_has_no_script(mixed, output):
    text = html_page(mixed, output)
    assert "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"" in text
    assert "<script" not in text
    links = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert all(re.match("data:|#|jobs/", link) for link in links)


def test_invisible_characters_are_shown_as_symbols(make_report, output):
    error = Failure("E", "one\ntwo\x1b[0m\x00\udc80")
    text = html_page(make_report(replace(BROKEN, error=error)), output)
    assert "<pre>one\ntwo␛[0m␀\ufffd</pre>" in text
    text.encode("utf-8")


def test_differences_are_marked_in_wrong_samples_only(make_report, output):
    samples = (
        Prediction("0", "s", "1 2", "1 3", False, ("1 2", "4 3")),
        Prediction("1", "s", "x", "y", True, ("x", "y")),
        Prediction("2", "s", "", "", True),
        Prediction("3", "s", "12.5", "12.4", None),
    )
    text = section(html_page(make_report(replace(SHORT, samples=samples)), output), SHORT.name)
    text = re.sub(' data-label="[^"]*"', "", text)
    rows = re.findall(r'<td class="text">s</td>(.*?)</tr>', text, re.DOTALL)
    cell = '<td class="text">'
    assert rows[0] == (
        f"{cell}1 <mark>2</mark> or <mark>4</mark> 3</td>{cell}1 <mark>3</mark></td><td>wrong</td>"
    )
    assert rows[1] == f"{cell}x or y</td>{cell}y</td><td>right</td>"
    assert rows[2].count("(empty)") == 2
    assert "<mark>" not in rows[2] + rows[3]
    assert "right" not in rows[3]


def test_a_failed_value_has_enough_digits_to_differ_from_its_threshold(make_report, output):
    text = section(html_page(make_report(SHORT), output), SHORT.name)
    assert "98.996 %" in text
    assert re.findall(r'<span class="badge \w+" data-symbol=".">(passed|failed)</span>', text) == [
        *("failed", "passed", "failed"),
    ]


def test_the_table_of_jobs_has_sparklines_of_recorded_values(mixed, output):
    text = html_page(mixed, output)
    assert re.findall(r'<svg class="spark".*?aria-label="(.*?)"', text) == [
        "training loss, 3 values: from 2.5 to 0.25",
        "accuracy by position, 3 values: from 1 to 0.5",
    ]


def test_the_comparison_shows_changed_metrics_and_predictions(make_report, output):
    metric = MetricComparison(
        *(
            "sequence_accuracy",
            "McNemar's exact test",
            0.99,
            0.5,
            -0.49,
            0.0001,
            0.0004,
            0.01,
            0.005,
            100,
            True,
        ),
        detail="50 lost, 1 won",
        change="regression",
        advice="settled",
    )
    lost = FlippedExample("17", "1 2 3", "3 2 1", "3 2 1", "3 <i> 1")
    speed = SpeedComparison("train_examples_per_second", 300.0, 100.0, 3.0, 1.3, None, None, True)
    jobs = (
        JobComparison(
            *("tutorial", "regression", "worse", (metric,)),
            lost=(lost,),
            lost_count=50,
            speed=(speed,),
            changes=(ChangedSetting("training.loss<b>", "old", "new"),),
        ),
        JobComparison("gone", "removed", "only the baseline has it"),
    )
    comparison = Comparison("base<line>", "2026-03-01T12:00:00+00:00", "abc", jobs)
    text = html_page(replace(make_report(TUTORIAL), comparison=comparison), output)
    page = _Text(text)
    assert "base<line>, finished 2026-03-01T12:00:00+00:00, commit abc." in " ".join(page.text.split())
    row = ["tutorial", "regression", "sequence accuracy (%)", "99.00", "50.00", "-49.00", "0.0004"]
    at = page.cells.index("regression")
    assert page.cells[at - 1 : at + 6] == row
    assert page.cells[at + 6] == "McNemar's exact test: 50 lost, 1 won; settled"
    assert "only the baseline has it" in page.cells
    assert "<li>training.loss&lt;b&gt; old -&gt; new</li>" in text
    text = re.sub(' data-label="[^"]*"', "", text)
    assert '<td class="text">3 2 1</td><td class="text">3 <mark>&lt;i&gt;</mark> 1</td></tr>' in text
    assert "Right in the baseline and wrong in the candidate: 50, the first 1 of them" in page.text
    assert "Slower: train examples per second is 100 examples/second, was 300 examples/second." in page.text


def test_several_seeds_have_a_mean_and_its_gate(make_report, output):
    summary = SeedsSummary(
        name="t",
        seeds=(1, 2, 3),
        jobs=("t-1", "t-2", "t-3"),
        absent=("t-3",),
        gate_on="mean",
        metrics=(MetricOverSeeds("sequence_accuracy", (0.5, 0.7, None), 0.6, 0.1, 0.4, 0.8),),
        gates=(GateOutcome("sequence_accuracy", 0.9, 0.6, False, "5 seeds would settle it"),),
        validation=(MetricOverSeeds("sequence_accuracy", (0.45, 0.65, None), 0.55, 0.2, 0.1, 0.9),),
    )
    page = _Text(html_page(replace(make_report(TUTORIAL), seeds=(summary,)), output))
    at = page.cells.index("40.00 % to 80.00 %")
    assert page.cells[at - 4 : at] == ["t", "sequence accuracy", "60.00 %", "10.00 %"]
    assert page.cells[at + 1] == "2 of 3"
    assert page.cells[at + 2] == "at least 90.00 %: failed; 5 seeds would settle it"
    row = ["t", "validation sequence accuracy", "55.00 %", "20.00 %", "10.00 % to 90.00 %", "2 of 3", ""]
    assert page.cells[at + 3 : at + 10] == row


def test_an_interrupted_job_has_not_failed(make_report, output):
    stopped = replace(STOPPED, error=Failure("Interrupted", "stopped by SIGTERM; go on"))
    text = section(html_page(make_report(stopped), output), "stopped")
    assert "Not finished:" in text
    assert "Failed with" not in text


def test_everything_on_the_page_except_drawings_is_in_the_json(mixed, output):
    assert html_page(Report.from_json(mixed.to_json()), output) == html_page(mixed, output)


def test_a_report_without_jobs(make_report, output):
    text = html_page(make_report(), output)
    assert "no job was run" in text
    assert "<section" not in text


def test_a_predicted_unknown_differs_from_a_target_token_of_the_same_spelling(make_report, output):
    wrong = Prediction("0", "a", "<unk> b", "<unk> b", False, unknown=((0, 5),))
    mistake = {"id": "0", "edit_distance": 1, "source": "a", "target": "<unk> b", "predicted": "<unk> b"}
    analysis = {"confusions": [], "worst_mistakes": [{**mistake, "unknown": [[0, 5]]}]}
    job = replace(TUTORIAL, samples=(wrong,), analysis=analysis)
    text = html_page(make_report(job), output)
    assert text.count("<mark>&lt;unk&gt;</mark>") == 4
