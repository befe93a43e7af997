"""A report -> the files at the top of the output directory."""

from __future__ import annotations

from job.reports.junit import junit_xml
from job.reports.markdown import markdown
from job.reports.prometheus import metrics_text
from job.results.records import Report
from job.storage.artifacts import OutputPaths, write_bytes, write_text


def write_reports(output: OutputPaths, report: Report) -> None:
    """Write the reports for people and systems and, last, `report.json`; each is replaced atomically.

    Raises:
        OSError: a file cannot be written; the old one is in place.
    """
    from job.reports.html import html_page  # a batch loads it while its workers load TensorFlow

    write_text(output.html, html_page(report, output))
    write_text(output.markdown, markdown(report))
    write_bytes(output.junit, junit_xml(report))
    write_text(output.prometheus, metrics_text(report, shard=output.shard))
    write_text(output.report, report.to_json())
