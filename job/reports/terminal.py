"""Print a report, or a comparison with a baseline, as a table on the terminal or in a log."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from job.metrics import VALIDATION
from job.reports.comparison_content import (
    COMPARISON_COLUMNS,
    comparison_cells,
    comparison_remarks,
    comparison_source,
    sorted_comparisons,
)
from job.reports.content import (
    column_title,
    counts,
    headline,
    leading_metrics,
    missing_status,
    outlook,
    overview_row,
    reasons,
    regressed_jobs,
    remarks,
    sorted_jobs,
)
from job.reports.escaping import terminal
from job.reports.formatting import plain
from job.reports.tables import Cell, Column, print_table
from job.results.batch_report import Report
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult

_WIDE = 100
"""Width of a console from which the table has metrics of validation beside those of the test."""

_OUTLOOK_STYLES = {"good": "bold green", "plain": "bold", "bad": "bold red"}
_STATUS_STYLES = {
    "trained": "",
    "passed": "green",
    "gate failed": "yellow",
    "failed": "red",
    "interrupted": "magenta",
}
_VERDICT_STYLES = {"regression": "bold red", "improvement": "green", "not_comparable": "magenta"}


def print_summary(report: Report, console: Console) -> None:
    """Print the comparison with a baseline if there is one, a row per job, then the verdict and its reasons.

    Args:
        report: of the batch.
        console: where to print; see `job.reports.tables` for how the table adapts to a narrow one.
    """
    if report.comparison:
        print_comparison(report.comparison, console)
        console.print()
    _print_table(report, console)
    for remark in remarks(report):
        _print_item(remark, console)
    console.print(Text(f"\n{counts(report)}"))
    console.print(Text(headline(report), style=_OUTLOOK_STYLES[outlook(report)]), soft_wrap=True)
    for reason in reasons(report):
        _print_item(reason, console)


def _print_item(text: str, console: Console) -> None:
    """Print an item of a list on one line, so that grep finds it in a log."""
    console.print(Text(f"  - {terminal(text)}"), soft_wrap=True)


def _print_table(report: Report, console: Console) -> None:
    metrics = leading_metrics(report.jobs)
    if console.width < _WIDE and not report.test_hidden:
        metrics = tuple(name for name in metrics if not name.startswith(VALIDATION))
    columns = [
        Column("job"),
        Column("status"),
        *(Column(column_title(name).replace(" ", "\n"), right=True) for name in metrics),
        *([] if report.test_hidden else [Column("gates")]),
        Column("training", right=True),
        Column(""),
    ]
    missing = Text(missing_status(report), style="" if report.running else "red")
    regressed = regressed_jobs(report)
    rows = [_row(report, result, metrics, result.name in regressed) for result in sorted_jobs(report)]
    rows += [[name, missing] for name in report.missing]
    print_table(columns, rows, console)


def _row(report: Report, result: JobResult, metrics: tuple[str, ...], regressed: bool) -> list[Cell]:
    row = overview_row(result, metrics, brief=True)
    status = Text(row.status, style=_STATUS_STYLES.get(row.status, ""))
    if regressed:
        status = Text(f"{row.status}, regression", style=_VERDICT_STYLES["regression"])
    gates = [] if report.test_hidden else [row.gates]
    return [row.job, status, *row.metrics, *gates, row.training, row.done]


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print a row per compared metric, and remarks below.

    Args:
        comparison: of a batch with its baseline.
        console: where to print; see `job.reports.tables` for how the table adapts to a narrow one.
    """
    source = terminal(comparison_source(comparison))
    console.print(Text(f"Against the baseline {source}"), soft_wrap=True)
    columns = [Column(title, right=number > 2) for number, title in enumerate(COMPARISON_COLUMNS)]
    rows: list[list[Cell]] = []
    for job in sorted_comparisons(comparison):
        for number, metric in enumerate(job.metrics or (None,)):
            verdict = Text(plain(job.verdict), style=_VERDICT_STYLES.get(job.verdict, ""))
            names: list[Cell] = ["", ""] if number else [job.name, verdict]
            rows.append([*names, *comparison_cells(metric)])
    print_table(columns, rows, console)
    for remark in comparison_remarks(comparison):
        _print_item(remark, console)
