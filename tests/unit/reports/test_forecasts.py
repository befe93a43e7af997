"""Reports of a job that forecasts numbers: units, persistence, no accuracies."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from sample_results import TUTORIAL
from test_markdown import rendered

from job.reports import content, formatting
from job.reports.junit import junit_xml
from job.reports.markdown import markdown
from job.reports.terminal import print_summary
from job.results.data_facts import DataFacts
from job.results.job_result import Artifact, GateOutcome, JobResult
from job.results.predictions import Prediction

SALES = JobResult(
    name="sales",
    status="gate_failed",
    fingerprint="e5" * 32,
    seed=7,
    spec={"problem": {"kind": "time_series", "column": "y", "unit": "1,000 _l_"}},
    metrics={"rmse": 68.2345, "mae": 50.0, "persistence_mae": 115.333, "persistence_rmse": 1136.7613},
    gates=(GateOutcome("rmse", 60.0, 68.2345, False),),
    data=DataFacts(test_examples=12, problem={"rows": {"train": 24, "validation": 0, "test": 12}}),
    samples=(Prediction("0", "266.0 145.9", "183.1", "190.25", None),),
    artifacts=(Artifact("curves.svg", 1, "0" * 64),),
)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("rmse", 68.2345, "68.23 1,000 _l_"),
        ("mae", 0.012345, "0.01235 1,000 _l_"),
        ("persistence_rmse", 123456.7, "123,457 1,000 _l_"),
        ("rmse", -1234.5, "-1,234 1,000 _l_"),
        ("train_seconds", 1.0, "1.00 s"),
    ],
)
def test_errors_have_the_unit_of_the_data(name, value, text):
    assert content.metric_value(SALES, name, value) == text


def test_without_a_unit_a_forecast_error_is_a_number():
    assert content.metric_value(replace(SALES, spec={}), "rmse", 2.5) == "2.5"
    assert formatting.quantity("rmse", 2.5) == "2.5"


def test_persistence_is_beside_the_leading_metric():
    found = content.leading_metrics([replace(TUTORIAL, validation=None), SALES])
    assert found == ("sequence_accuracy", "rmse", "persistence_rmse")
    assert content.leading_metrics([replace(SALES, metrics={"rmse": 1.0})]) == ("rmse",)


def test_the_section_of_a_job(make_report):
    text = markdown(make_report(SALES))
    page = rendered(text)
    start = page.cells.index("test")  # of the section's table
    at = page.cells.index("68.23 1,000 _l_", start)
    assert page.cells[at - 1 : at + 3] == ["rmse", "68.23 1,000 _l_", "at most 60", "failed"]
    order = [page.cells.index(name, start) for name in ("rmse", "persistence rmse", "mae")]
    assert order == sorted(order)
    assert "Evaluated on 12 windows, walking forward" in page.text
    assert "occur in the training data" not in page.text
    assert "![Loss of sales over training]" in text


def test_a_forecast_is_neither_correct_nor_wrong(make_report):
    cells = rendered(markdown(make_report(SALES))).cells
    at = cells.index("266.0 145.9")
    assert cells[at : at + 4] == ["266.0 145.9", "183.1", "190.25", ""]


def test_the_terminal_shows_both_errors(make_report):
    console = Console(width=80, file=io.StringIO())
    print_summary(make_report(SALES), console)
    row = next(line for line in console.file.getvalue().splitlines() if line.startswith("sales"))
    assert row.split()[:5] == ["sales", "gate", "failed", "68.23", "1,137"]


def test_junit_has_the_forecast_errors(make_report):
    assert b"rmse: 68.23" in junit_xml(make_report(SALES))
