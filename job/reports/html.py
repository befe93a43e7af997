"""Write a report as `report.html`: one file that needs no network and no script.

The template engine escapes text from outside; control characters are replaced by visible symbols and long
text is cut. The page's content security policy forbids scripts and loading anything.
"""

from __future__ import annotations

from datetime import datetime

from job.reports import content, ensemble_content
from job.reports.html_pictures import pictures
from job.reports.html_sections import job_section
from job.reports.html_template import template
from job.results.batch_report import Report
from job.storage.artifacts import OutputPaths

_REPORT = template("report.html")

MAX_PICTURE_BYTES = 2**20
"""Total size of the drawings embedded in the page; it links to the others."""

_MAX_OPEN = 5
"""Number of jobs whose sections are not folded: the first ones that did not pass, or are regressions."""


def html_page(report: Report, output: OutputPaths, *, max_picture_bytes: int = MAX_PICTURE_BYTES) -> str:
    """Return the page.

    Args:
        report: of a batch.
        output: the output directory with the jobs' drawings; missing ones are left out.
        max_picture_bytes: see `MAX_PICTURE_BYTES`. Jobs that did not pass come first.
    """
    room = max_picture_bytes
    leading = content.leading_metrics(report.jobs)
    regressed = content.regressed_jobs(report)
    sections = []
    for number, result in enumerate(content.sorted_jobs(report)):
        embedded, room = pictures(result, output.job(result.name).directory, room)
        worse = result.name in regressed
        unfolded = number < _MAX_OPEN and (worse or result.status != "passed")
        sections.append(job_section(result, leading, embedded, regressed=worse, unfolded=unfolded))
    started, finished = map(datetime.fromisoformat, (report.started_at, report.finished_at))
    return _REPORT.render(
        report=report,
        ensembles=ensemble_content,
        sections=sections,
        leading=leading,
        glossary=content.glossary(report.jobs),
        duration=str(finished - started),
    )
