import errno
import os
import subprocess
import sys
from dataclasses import replace

import pytest
from junitparser import JUnitXml

from job.reports.html import html_page
from job.reports.junit import junit_xml
from job.reports.markdown import markdown
from job.reports.prometheus import metrics_text
from job.reports.report_files import write_reports
from job.results.batch_report import Report
from job.storage.artifacts import prepare_output


def test_all_files_are_written(tmp_path, mixed):
    output = prepare_output(tmp_path / "output")
    write_reports(output, mixed)
    assert Report.from_json(output.report.read_bytes()) == mixed
    assert output.html.read_text("utf-8") == html_page(mixed, output)
    assert output.markdown.read_text("utf-8") == markdown(mixed)
    assert output.junit.read_bytes() == junit_xml(mixed)
    assert len(JUnitXml.fromfile(str(output.junit))) == 5
    assert output.prometheus.read_text("utf-8") == metrics_text(mixed)
    assert {path.name for path in output.root.iterdir()} == {
        "jobs",
        "report.json",
        "report.html",
        "report.md",
        "junit.xml",
        "metrics.prom",
    }


def test_the_files_of_a_shard_have_other_names(tmp_path, mixed):
    output = replace(prepare_output(tmp_path), shard="2-of-4")
    write_reports(output, mixed)
    assert {path.name for path in output.root.iterdir()} == {
        "jobs",
        "report-2-of-4.json",
        "report-2-of-4.html",
        "report-2-of-4.md",
        "junit-2-of-4.xml",
        "metrics-2-of-4.prom",
    }
    assert output.reports == [output.report]
    assert output.prometheus.read_text("utf-8") == metrics_text(mixed, shard="2-of-4")


def test_a_full_disk_leaves_the_old_report(tmp_path, mixed, make_report, monkeypatch):
    output = prepare_output(tmp_path)
    write_reports(output, mixed)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}

    def full(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_reports(output, make_report())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_reporting_imports_neither_matplotlib_nor_tensorflow():
    code = (
        "import sys, job.reports.report_files, job.reports.terminal;"
        "print(sorted({'matplotlib', 'tensorflow', 'keras', 'numpy'} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


# --- the report itself --------------------------------------------------------------------------------------


def test_totals_count_every_job_once(mixed):
    assert mixed.totals == {"passed": 1, "gate_failed": 1, "failed": 1, "interrupted": 1, "missing": 1}
    assert mixed.missing == ("never-run",)


def test_times_are_written_in_utc(mixed):
    assert mixed.started_at == "2026-03-01T12:00:00+00:00"
    assert mixed.finished_at == "2026-03-01T12:02:00+00:00"


def test_the_exit_code_is_that_of_the_verdict(mixed):
    assert mixed.exit_code == mixed.verdict.exit_code == 1


def test_jobs_done_before_are_marked_and_the_order_is_kept(mixed):
    assert [(job.name, job.reused) for job in mixed.jobs] == [
        ("tutorial", True),
        ("addition_of-1.digit", False),
        ("broken", False),
        ("stopped", False),
    ]


def test_an_existing_mark_is_kept(make_report, mixed):
    assert make_report(*mixed.jobs).jobs[0].reused


def test_json_round_trip(mixed):
    assert Report.from_json(mixed.to_json()) == mixed
    assert Report.from_json(mixed.to_json()) != replace(mixed, exit_code=0)
