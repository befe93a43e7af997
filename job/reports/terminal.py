"""A report -> a table on the terminal, or in a log."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from job.reports.comparison_tables import print_against
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
    visible,
)
from job.reports.remarks import remarks
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
        console: where to; at 80 columns the table still holds every column.
    """
    console.print(_table(report))
    for remark in remarks(report):
        console.print(Text(f"  - {visible(remark)}"), soft_wrap=True)
    if report.comparison:
        print_against(report.comparison, console)
    console.print(Text(f"\n{counts(report)}"))
    console.print(Text(headline(report), style=_OUTLOOKS[outlook(report)]))
    for reason in report.verdict.reasons:
        line = Text(f"  - {visible(reason)}")
        console.print(line, soft_wrap=True)  # unbroken, so that grep finds it in a log


def _table(report: Report) -> Table:
    metrics = leading_metrics(report.jobs)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("job", overflow="fold")
    table.add_column("status", no_wrap=True)
    for name in metrics:
        table.add_column(plain(name).replace(" ", "\n"), justify="right", no_wrap=True)
    table.add_column("gates", no_wrap=True)
    table.add_column("training", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for result in report.jobs:
        table.add_row(*_row(result, metrics))
    for name in report.missing:
        table.add_row(Text(name), Text(absence(report), style="" if report.running else "red"))
    return table


def _row(result: JobResult, metrics: tuple[str, ...]) -> list[Text]:
    values = [
        measured(result, name, result.metrics[name], brief=True) if name in result.metrics else ""
        for name in metrics
    ]
    status, trained = outcome_words(result), result.timings.get("train_seconds")
    return [
        Text(result.name),
        Text(status, style=_STYLES.get(status, "")),
        *map(Text, values),
        Text(gates(result)),
        Text("" if trained is None else seconds(trained)),
        Text(origin(result)),
    ]
