"""Write a report as `report.html`: one file that needs no network and no script.

The template engine escapes text from outside; control characters are replaced by visible symbols and long
text is cut. The page's content security policy forbids scripts and loading anything.
"""

from __future__ import annotations

from datetime import datetime

from job.reports import content
from job.reports.html_pictures import Picture, pictures
from job.reports.html_sections import job_section
from job.reports.html_template import template
from job.results.batch_report import Report
from job.storage.artifacts import OutputPaths

_REPORT = template("report.html")

MAX_PICTURE_BYTES = 16 * 2**20
"""Total size of the drawings embedded in the page; it links to the others."""


def html_page(report: Report, output: OutputPaths, *, max_picture_bytes: int = MAX_PICTURE_BYTES) -> str:
    """Return the page.

    Args:
        report: of a batch.
        output: the output directory with the jobs' drawings; missing ones are left out.
        max_picture_bytes: see `MAX_PICTURE_BYTES`. Jobs that did not pass come first.
    """
    room = max_picture_bytes
    embedded: dict[str, list[Picture]] = {}
    for result in sorted(report.jobs, key=lambda job: job.status == "passed"):
        embedded[result.name], room = pictures(result, output.job(result.name).directory, room)
    leading = content.leading_metrics(report.jobs)
    started, finished = map(datetime.fromisoformat, (report.started_at, report.finished_at))
    return _REPORT.render(
        report=report,
        sections=[job_section(result, leading, embedded[result.name]) for result in report.jobs],
        leading=leading,
        duration=str(finished - started),
    )
