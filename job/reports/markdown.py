"""A report -> `report.md`, GitHub-flavoured Markdown: the verdict, a table of jobs, a section a job.

What comes from outside (sequences, error messages, file names) is escaped, so that it reads as it is and can
neither break a table nor bring markup or HTML along.
"""

from __future__ import annotations

from collections.abc import Sequence

from job.reports.comparison_tables import against_markdown
from job.reports.cutting import beginning, shrink, size
from job.reports.escaping import code, prose
from job.reports.formatting import (
    absence,
    counts,
    gates,
    headline,
    metric_names,
    origin,
    outcome_words,
    plain,
    seconds,
)
from job.reports.markup import table
from job.reports.remarks import remarks
from job.reports.section import brief_section, section, shown
from job.results.records import JobResult, Report

MOST_BYTES = 1_000_000
"""GitHub takes a step summary of up to 1 MiB, and shows nothing of a larger one."""

_JOINT = "\n\n"


def markdown(report: Report, most: int = MOST_BYTES) -> str:
    """Return the file's text, in UTF-8 of at most `most` bytes.

    Where that is not enough, the jobs' sections are shortened to their metrics and then left out, those of
    jobs that passed first and among them the last first; of more reasons than fill an eighth of the room, and
    of more rows of the table than fill half of it, the first are shown. The text says what is missing.

    Args:
        report: of a batch.
        most: at least 10,000.
    """
    reasons, unsaid = beginning([f"- {prose(reason)}" for reason in report.verdict.reasons], most // 8)
    lines, unlisted = beginning(_jobs(report), most // 2)
    remarked, unremarked = beginning([f"- {prose(remark)}" for remark in remarks(report)], most // 16)
    against, uncompared = beginning(_against(report), most // 8)
    forms = [[section(result), brief_section(result), ""] for result in report.jobs]
    room = most - size("\n".join([*reasons, *lines, *remarked, *against])) - 1000  # for the head and the note
    chosen = shrink(forms, _order(report.jobs), room - len(forms) * len(_JOINT))
    note = _note(unsaid, unlisted, unremarked, uncompared, chosen.count(1), chosen.count(2))
    head = f"{counts(report)}. Started {prose(report.started_at)}, finished {prose(report.finished_at)}."
    parts = [
        f"# {headline(report)}",
        "\n".join(reasons),
        head,
        note,
        "\n".join(lines),
        "\n".join(remarked),
        "\n".join(against),
    ]
    parts += [form[number] for form, number in zip(forms, chosen, strict=True)]
    return _JOINT.join(filter(None, parts)) + "\n"


def _order(results: Sequence[JobResult]) -> list[int]:
    """Return in which order sections are given up: who reads a report looks for what went wrong."""
    return sorted(range(len(results)), key=lambda i: (results[i].status != "passed", -i))


def _against(report: Report) -> list[str]:
    return against_markdown(report.comparison).splitlines() if report.comparison else []


def _note(reasons: int, rows: int, remarks: int, uncompared: int, brief: int, absent: int) -> str:
    missing = [
        what.format(number)
        for number, what in (
            (reasons, "{:,} of the reasons"),
            (rows, "{:,} of the table's rows"),
            (remarks, "{:,} of the remarks"),
            (uncompared, "{:,} lines of the comparison with the baseline"),
            (brief, "the samples and analysis of {:,} of the jobs"),
            (absent, "the sections of {:,} of the jobs"),
        )
        if number
    ]
    listed = ", ".join(missing)
    return f"**Cut to fit.** Left out here, but in `report.json`: {listed}." if missing else ""


def _jobs(report: Report) -> list[str]:
    """Return the lines of the table of jobs; none where there is no job."""
    if not report.jobs and not report.missing:
        return []
    metrics = metric_names(report.jobs)
    named = [prose(plain(name)) for name in metrics]
    columns = ["job", "status", *named, "gates", "parameters", "training", "done"]
    rows = [_job_row(result, metrics) for result in report.jobs]
    blank = [""] * (len(columns) - 2)
    rows += [[code(name), f"**{absence(report)}**", *blank] for name in report.missing]
    return table(columns, rows, "ll" + "r" * len(metrics) + "lrrl").splitlines()


def _job_row(result: JobResult, metrics: Sequence[str]) -> list[str]:
    status = outcome_words(result) if result.status == "passed" else f"**{outcome_words(result)}**"
    trained = result.timings.get("train_seconds")
    return [
        code(result.name),
        status,
        *(shown(result, name, result.metrics.get(name), absent="") for name in metrics),
        gates(result),
        f"{result.parameters:,}" if result.parameters else "",
        "" if trained is None else seconds(trained),
        origin(result),
    ]
