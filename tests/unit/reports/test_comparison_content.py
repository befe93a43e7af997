"""What reports say first: which job, by how much, against which baseline."""

import io

import pytest
from red_night import red_night
from rich.console import Console

from job.reports import content
from job.reports.comparison_content import COMPARISON_COLUMNS, comparison_cells, sorted_comparisons
from job.reports.formatting import change_texts
from job.reports.html import html_page
from job.reports.markdown import markdown
from job.reports.terminal import print_summary
from job.storage.artifacts import OutputPaths

LINES = [
    "g2p: sequence accuracy 61.8 -> 45.8 % (-16.0), significant",
    "g2p: edit rate 12.8 -> 18.1 % (+5.3), significant",
]


@pytest.fixture(scope="module")
def output(tmp_path_factory):
    return OutputPaths(tmp_path_factory.mktemp("red-night"))


@pytest.fixture(scope="module")
def report(output):
    return red_night(output)


def test_a_regression_is_a_line_of_words_for_each_metric_after_what_failed(report):
    lines = [*content.reasons(report)]
    assert lines[0] == "job broken failed: NonFiniteError: the loss is not a finite number at step 3,100"
    assert lines[-2:] == LINES
    assert not any("2e-73" in line or "exact McNemar" in line for line in lines)


def test_jobs_are_sorted_by_what_matters(report):
    names = [job.name for job in content.sorted_jobs(report)]
    assert names[:3] == ["broken", "g2p", "short"]
    assert names[3:] == ["tutorial", "addition", "copy", "inflection", "translation"]


def test_compared_jobs_are_sorted_by_their_verdicts(report):
    verdicts = [job.verdict for job in sorted_comparisons(report.comparison)]
    assert verdicts == ["regression", "not_comparable", *["unchanged"] * 6]


def test_before_after_and_difference_are_in_the_unit_named_with_the_metric(report):
    metric = sorted_comparisons(report.comparison)[0].metrics[0]
    cells = dict(zip(COMPARISON_COLUMNS[2:], comparison_cells(metric), strict=True))
    assert cells == {
        **{"metric": "sequence accuracy (%)", "baseline": "61.80", "candidate": "45.80"},
        **{"difference": "-16.00", "p": "2e-73"},
    }


def test_every_report_has_the_regression_before_the_jobs_and_the_comparison_too(report, output):
    terminal = io.StringIO()
    print_summary(report, Console(file=terminal, width=200))
    text = markdown(report)
    page = html_page(report, output)
    assert page.index(LINES[0].replace(">", "&gt;")) < page.index('id="baseline"') < page.index('id="jobs"')
    at = [
        text.index(part) for part in (LINES[0].replace(">", "\\>"), "## Against the baseline", "| job | st")
    ]
    assert at == sorted(at)
    shown = terminal.getvalue()
    assert shown.index("Against the baseline") < shown.index("gate failed") < shown.index("Exit code 1")
    assert LINES[0] in shown


@pytest.mark.parametrize(
    ("name", "before", "now", "decimals", "texts"),
    [
        ("sequence_accuracy", 0.618, 0.458, 1, ("61.8", "45.8", "-16.0", "%")),
        ("sequence_accuracy", 0.618, 0.618, 1, ("61.8", "61.8", "0.0", "%")),
        ("sequence_accuracy", 0.95, 0.9443, 1, ("95.00", "94.43", "-0.57", "%")),
        ("sequence_accuracy", 0.99999, 0.5, 1, ("99.999", "50.000", "-49.999", "%")),
        ("sequence_accuracy", 1.0, 0.0, 1, ("100.0", "0.0", "-100.0", "%")),
        ("bleu", 30.25, 31.5, 1, ("30.2", "31.5", "+1.2", "")),
        ("rmse", 0.12344, 0.23456, 1, ("0.1234", "0.2346", "+0.1111", "")),
        ("rmse", 1234.5, 1300.25, 2, ("1,234", "1,300", "+66", "")),
        ("train_seconds", 0.0, 0.0, 1, ("0", "0", "0", "s")),
    ],
)
def test_a_change_has_the_decimals_that_show_it(name, before, now, decimals, texts):
    found = change_texts(name, before, now, now - before, decimals=decimals)
    assert (found.before, found.now, found.difference, found.unit) == texts
