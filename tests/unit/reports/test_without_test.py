"""A report without its test: what people read shows validation, and nothing that was measured on the test."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from sample_results import BROKEN, SHORT, TUTORIAL

from job.gating.batch_verdict import decide
from job.reports.content import remarks
from job.reports.html import html_page
from job.reports.markdown import markdown
from job.reports.report_files import write_reports
from job.reports.terminal import print_summary
from job.reports.without_test import HIDDEN, without_test
from job.results.batch_report import MetricOverSeeds, Report, SeedsSummary
from job.results.comparison_records import Comparison, JobComparison
from job.results.export_result import Approximation, ExportResult
from job.results.job_result import GateOutcome
from job.results.validation_result import ValidationResult
from job.storage.artifacts import prepare_output

VALIDATED = ValidationResult(examples=50, metrics={"sequence_accuracy": 0.875, "chrf": 91.25})
OF_TEST = (
    "99.997",
    "98.996",
    "98.77",
    "10,000",
    "47.11",
    "8.15",
    "3 2 2",
    "The worst",
    "accuracy.svg",
    "Evaluated on",
)
"""What the reports of these jobs show of the test."""


@pytest.fixture
def report(make_report):
    """With a failed gate, a crash, a regression and seeds."""
    jobs = (TUTORIAL, replace(SHORT, validation=VALIDATED), BROKEN)
    comparison = Comparison(
        "nightly",
        "2026-02-01T00:00:00+00:00",
        None,
        (JobComparison("tutorial", "regression", "it fell to 47.11"),),
    )
    seeds = SeedsSummary(
        "sums",
        (1,),
        ("tutorial",),
        (),
        "mean",
        (MetricOverSeeds("edit_rate", (0.4711,), 0.4711, None, None, None),),
        (GateOutcome("edit_rate", 0.0815, 0.4711, False),),
        (
            MetricOverSeeds("edit_rate", (0.3377,), 0.3377, None, None, None),
            MetricOverSeeds("chrf", (73.25,), 73.25, None, None, None),
        ),
    )
    whole = make_report(*jobs)
    verdict = decide([job.name for job in jobs], jobs, comparison=comparison, seeds=[seeds])
    return replace(whole, verdict=verdict, comparison=comparison, seeds=(seeds,))


def texts(report, output):
    file = io.StringIO()
    print_summary(report, Console(file=file, width=120))
    return {"terminal": file.getvalue(), "html": html_page(report, output), "markdown": markdown(report)}


def test_the_accuracy_of_an_8_bit_export_is_hidden(make_report, tmp_path):
    approximation = Approximation(
        metrics={"sequence_accuracy": 0.8123}, model_metrics={"sequence_accuracy": 0.8234}, differing=37
    )
    export = ExportResult(
        format="onnx_int8",
        directory="export/onnx_int8",
        bytes=1000,
        examples=10,
        near_ties=0,
        sequences_per_second=15.0,
        approximation=approximation,
    )
    report = make_report(replace(TUTORIAL, exports=(export,)))
    output = prepare_output(tmp_path / "output")
    for name, text in texts(report, output).items():
        assert ("81.23" in text) == ("82.34" in text) == (name != "terminal")
    for text in texts(without_test(report), output).values():
        assert "81.23" not in text
        assert "82.34" not in text


def test_nothing_of_the_test_is_shown_and_validation_is(report, tmp_path):
    output = prepare_output(tmp_path / "output")
    assert all(word in " ".join(texts(report, output).values()) for word in OF_TEST)
    for name, text in texts(without_test(report), output).items():
        shown = [word for word in OF_TEST if word in text]
        assert shown == [], name
        assert "99.25 %" in text
        assert "87.50 %" in text
        assert "33.77 %" in text
        assert "73.25" in text


def test_the_exit_code_stays_and_other_reasons_too(report):
    hidden = without_test(report)
    assert hidden.exit_code == report.exit_code
    assert len(report.verdict.reasons) == 4
    crash = next(reason for reason in report.verdict.reasons if reason.startswith("job broken failed"))
    assert hidden.verdict.reasons == (crash, HIDDEN)
    assert (hidden.totals["passed"], hidden.totals["failed"]) == (2, 1)
    assert "gate_failed" not in hidden.totals


def test_a_batch_in_order_says_that_the_test_is_hidden(make_report, tmp_path):
    report = without_test(make_report(TUTORIAL))
    assert report.verdict.reasons == ()
    text = texts(report, prepare_output(tmp_path / "output"))["terminal"]
    assert "Exit code 0: every job trained; the test is hidden" in text


def test_reports_for_programs_are_whole(report, tmp_path):
    output = prepare_output(tmp_path / "output")
    write_reports(output, report, hide_test=True)
    assert Report.from_json(output.report.read_bytes()) == report
    assert "test_hidden" not in output.report.read_text()
    assert 'metric="sequence_accuracy"} 0.999975' in output.prometheus.read_text()
    assert "99.997" not in output.html.read_text()
    assert "99.997" not in output.markdown.read_text()


def test_a_summary_over_seeds_without_validation_is_left_out(report, tmp_path):
    earlier = replace(report, seeds=(replace(report.seeds[0], validation=()),))
    for text in texts(without_test(earlier), prepare_output(tmp_path / "output")).values():
        assert "sums" not in text
        assert "several seeds" not in text


def test_gates_that_wait_for_a_seed_are_hidden_as_gates_are(report):
    waiting = replace(report, seeds=(replace(report.seeds[0], absent=("tutorial",), gates=()),))
    assert any("not judged" in remark for remark in remarks(waiting))
    assert not any("not judged" in remark for remark in remarks(without_test(waiting)))


def test_a_hidden_report_is_not_written_to_json(report):
    assert not Report.from_json(without_test(report).to_json()).test_hidden


def test_jobs_are_in_the_order_of_validation_without_columns_of_the_test(make_report, tmp_path):
    def job(name, accuracy):
        validation = replace(TUTORIAL.validation, metrics={"sequence_accuracy": accuracy})
        return replace(TUTORIAL, name=name, validation=validation)

    hidden = without_test(make_report(job("worst", 0.5), job("best", 0.9), job("middle", 0.7)))
    for name, text in texts(hidden, prepare_output(tmp_path / "output")).items():
        assert text.index("best") < text.index("middle") < text.index("worst"), name
        assert "gates" not in text.replace("Metrics and gates of", ""), name
        assert "accuracy by position" not in text, name
