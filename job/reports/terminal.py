"""A report -> a table on the terminal, or in a log."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from job.reports.comparison_tables import print_against
from job.reports.escaping import terminal
from job.reports.formatting import (
    absence,
    counts,
    gates,
    headline,
    leading_metrics,
    measured,
    origin,
    outcome_words,
    outlook,
    plain,
    seconds,
)
from job.reports.remarks import remarks
from job.reports.tables import Cell, Column, print_table
from job.results.records import JobResult, Report

_OUTLOOKS = {"good": "bold green", "plain": "bold", "bad": "bold red"}
_STYLES = {
    "trained": "",
    "passed": "green",
    "gate_failed": "yellow",
    "failed": "red",
    "interrupted": "magenta",
}


def print_summary(report: Report, console: Console) -> None:
    """Print a row a job, what a comparison found, then the verdict and its reasons.

    Args:
        report: the batch.
        console: where to; see `tables` for what becomes of the table in a narrow one.
    """
    _print_table(report, console)
    for remark in remarks(report):
        console.print(Text(f"  - {terminal(remark)}"), soft_wrap=True)
    if report.comparison:
        print_against(report.comparison, console)
    console.print(Text(f"\n{counts(report)}"))
    console.print(Text(headline(report), style=_OUTLOOKS[outlook(report)]), soft_wrap=True)
    for reason in report.verdict.reasons:
        line = Text(f"  - {terminal(reason)}")
        console.print(line, soft_wrap=True)  # unbroken, so that grep finds it in a log


def _print_table(report: Report, console: Console) -> None:
    metrics = leading_metrics(report.jobs)
    columns = [
        Column("job"),
        Column("status"),
        *(Column(plain(name).replace(" ", "\n"), right=True) for name in metrics),
        Column("gates"),
        Column("training", right=True),
        Column(""),
    ]
    rows = [_row(result, metrics) for result in report.jobs]
    rows += [[name, Text(absence(report), style="" if report.running else "red")] for name in report.missing]
    print_table(columns, rows, console)


def _row(result: JobResult, metrics: tuple[str, ...]) -> list[Cell]:
    values = [
        measured(result, name, result.metrics[name], brief=True) if name in result.metrics else ""
        for name in metrics
    ]
    status, trained = outcome_words(result), result.timings.get("train_seconds")
    return [
        result.name,
        Text(status, style=_STYLES.get(status, "")),
        *values,
        gates(result),
        "" if trained is None else seconds(trained),
        origin(result),
    ]
