"""Write a report as `report.md`: the verdict, a table of jobs and a section per job, for GitHub.

Text from outside (sequences, error messages, file names) is escaped, so that it reads unchanged and can
neither break a table nor insert markup or HTML.
"""

from __future__ import annotations

from collections.abc import Sequence

from job.reports.comparison_content import (
    COMPARISON_COLUMNS,
    comparison_cells,
    comparison_remarks,
    sorted_comparisons,
)
from job.reports.content import (
    column_title,
    counts,
    glossary,
    headline,
    metric_names,
    missing_status,
    overview_row,
    reasons,
    regressed_jobs,
    remarks,
    sorted_jobs,
    validation_columns,
)
from job.reports.ensemble_content import ENSEMBLE_COLUMNS, ENSEMBLE_NOTE, ensemble_rows
from job.reports.escaping import code, prose
from job.reports.formatting import plain
from job.reports.markdown_sections import brief_section, section
from job.reports.tables import markdown_table
from job.results.batch_report import Report
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult

MAX_BYTES = 1_000_000
"""GitHub accepts a step summary of up to 1 MiB, and shows nothing of a larger one."""

_BLANK_LINE = "\n\n"
_EMPHASIZED = {"regression", "improvement", "not_comparable"}
"""Verdicts of a comparison in bold type."""


def markdown(report: Report, max_bytes: int = MAX_BYTES) -> str:
    """Return the file's text, at most `max_bytes` bytes in UTF-8.

    If it would be larger, the sections of jobs are reduced to their metrics and then left out: first those of
    jobs that passed, from last to first. Reasons beyond an eighth of the limit and rows of the table beyond
    half of it are left out too. The text states what is missing.

    Args:
        report: of a batch.
        max_bytes: at least 10,000.
    """
    reason_lines, reasons_cut = first_lines(
        [f"- {prose(reason)}" for reason in reasons(report)], max_bytes // 8
    )
    lines, rows_cut = first_lines(_jobs(report), max_bytes // 2)
    remark_lines, remarks_cut = first_lines([f"- {prose(text)}" for text in remarks(report)], max_bytes // 16)
    comparison = comparison_markdown(report.comparison).splitlines() if report.comparison else []
    comparison, comparison_cut = first_lines(comparison, max_bytes // 8)
    jobs = sorted_jobs(report)
    versions = [[section(result), brief_section(result), ""] for result in jobs]
    meanings = _glossary(jobs)
    ensemble_lines, ensembles_cut = first_lines(_ensembles(report), max_bytes // 16)
    ensembles = "\n".join(ensemble_lines)
    fixed = byte_count("\n".join([*reason_lines, *lines, *remark_lines, *comparison, ensembles, meanings]))
    room = max_bytes - fixed - 1000  # for the head and the note
    chosen = choose_versions(versions, _shortening_order(jobs), room - len(versions) * len(_BLANK_LINE))
    cut = (
        reasons_cut,
        rows_cut,
        remarks_cut,
        comparison_cut,
        ensembles_cut,
        chosen.count(1),
        chosen.count(2),
    )
    parts = [
        f"# {headline(report)}",
        "\n".join(reason_lines),
        f"{counts(report)}. Started {prose(report.started_at)}, finished {prose(report.finished_at)}.",
        _cut_note(cut),
        "\n".join(comparison),
        "\n".join(lines),
        "\n".join(remark_lines),
        ensembles,
    ]
    parts += [version[number] for version, number in zip(versions, chosen, strict=True)]
    parts.append(meanings)
    return _BLANK_LINE.join(filter(None, parts)) + "\n"


def _shortening_order(results: Sequence[JobResult]) -> list[int]:
    """Return the order in which sections are shortened: readers look for jobs that did not pass."""
    return sorted(range(len(results)), key=lambda i: (results[i].status != "passed", -i))


_CUT = (
    "{:,} of the reasons",
    "{:,} of the table's rows",
    "{:,} of the remarks",
    "{:,} lines of the comparison with the baseline",
    "{:,} rows of the ensembles",
    "the samples and analysis of {:,} of the jobs",
    "the sections of {:,} of the jobs",
)


def _cut_note(numbers: Sequence[int]) -> str:
    """Return the sentence on what was left out; `numbers` are in the order of `_CUT`."""
    listed = ", ".join(text.format(number) for text, number in zip(_CUT, numbers, strict=True) if number)
    return f"**Cut to fit.** Left out here, but in `report.json`: {listed}." if listed else ""


def _glossary(results: Sequence[JobResult]) -> str:
    """Return what the metrics of the results mean."""
    lines = [f"- {prose(plain(name))}: {text}" for name, text in glossary(results)]
    return "\n".join(["## What the metrics mean", "", *lines]) if lines else ""


def _jobs(report: Report) -> list[str]:
    """Return the lines of the table of jobs; none if there is no job."""
    if not report.jobs and not report.missing:
        return []
    test = metric_names(report.jobs)
    metrics = (*test, *validation_columns(report.jobs, most=1 if test else None))
    named = [prose(column_title(name)) for name in metrics]
    gates = [] if report.test_hidden else ["gates"]
    columns = ["job", "status", *named, *gates, "parameters", "training", "done"]
    regressed = regressed_jobs(report)
    rows = [_job_row(report, result, metrics, result.name in regressed) for result in sorted_jobs(report)]
    blank = [""] * (len(columns) - 2)
    rows += [[code(name), f"**{missing_status(report)}**", *blank] for name in report.missing]
    alignment = "ll" + "r" * len(metrics) + "l" * len(gates) + "rrl"
    return markdown_table(columns, rows, alignment).splitlines()


def _ensembles(report: Report) -> list[str]:
    """Return the lines of the table of ensembles; none if none is computed."""
    rows = [[code(name), *map(prose, cells)] for name, *cells in ensemble_rows(report.ensembles)]
    if not rows:
        return []
    table = markdown_table(ENSEMBLE_COLUMNS, rows, "llrrrrlrr").splitlines()
    return ["## Ensembles", "", ENSEMBLE_NOTE, "", *table]


def _job_row(report: Report, result: JobResult, metrics: Sequence[str], regressed: bool) -> list[str]:
    row = overview_row(result, metrics)
    status = row.status if result.status == "passed" else f"**{row.status}**"
    status += ", **regression**" if regressed else ""
    values = map(prose, row.metrics)
    gates = [] if report.test_hidden else [row.gates]
    return [code(row.job), status, *values, *gates, row.parameters, row.training, row.done]


def comparison_markdown(comparison: Comparison) -> str:
    """Return a comparison with a baseline as a table, followed by a list of remarks."""
    rows = []
    for job in sorted_comparisons(comparison):
        verdict = plain(job.verdict)
        for metric in job.metrics or (None,):
            cells = map(prose, comparison_cells(metric))
            rows.append([code(job.name), f"**{verdict}**" if job.verdict in _EMPHASIZED else verdict, *cells])
    parts = [
        f"## Against the baseline {code(comparison.baseline)}",
        f"Its batch ended {prose(comparison.baseline_finished_at)}. "
        "p-values are adjusted for all the tests (Holm).",
        markdown_table(COMPARISON_COLUMNS, rows, "lllrrrr"),
        "\n".join(f"- {prose(text)}" for text in comparison_remarks(comparison)),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


# --- cutting a text to a size -------------------------------------------------------------------------------


def byte_count(text: str) -> int:
    """Return the size of a text in UTF-8; a lone surrogate is written as `?`."""
    return len(text.encode("utf-8", errors="replace"))


def first_lines(lines: Sequence[str], room: int) -> tuple[list[str], int]:
    """Return the first lines that fit into `room` bytes including line ends, and the number of the others."""
    for number, line in enumerate(lines):
        room -= byte_count(line) + 1
        if room < 0:
            return list(lines[:number]), len(lines) - number
    return list(lines), 0


def choose_versions(versions: Sequence[Sequence[str]], order: Sequence[int], room: int) -> list[int]:
    """Choose a version of each text so that together they fit into `room` bytes, if that is possible.

    All texts start with their longest version. In the given order each is replaced by its second version
    until they fit, then in the same order by the third, and so on.

    Args:
        versions: of each text, from the longest to the shortest; the same number for each text.
        order: indices of the texts, the first to be shortened first.
        room: in bytes.

    Returns:
        the index of the version chosen for each text.
    """
    sizes = [[byte_count(version) for version in each] for each in versions]
    chosen = [0] * len(versions)
    excess = sum(each[0] for each in sizes) - room
    for number in range(1, max(map(len, versions), default=0)):
        for text in order:
            if excess <= 0:
                return chosen
            excess -= sizes[text][number - 1] - sizes[text][number]
            chosen[text] = number
    return chosen
