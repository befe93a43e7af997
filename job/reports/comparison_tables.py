"""A comparison with a baseline -> a table on the terminal, and Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text

from job.reports.escaping import code, prose, terminal
from job.reports.formatting import plain, quantity
from job.reports.markup import table
from job.reports.tables import Cell, Column, print_table
from job.results.records import Comparison, JobComparison, MetricComparison

_STYLES = {"regression": "bold red", "improvement": "green", "not_comparable": "magenta"}


def print_against(comparison: Comparison, console: Console) -> None:
    """Print a row for each metric that was compared, and what else is to be said of a job below.

    Args:
        comparison: of a batch.
        console: where to; see `tables` for what becomes of the table in a narrow one.
    """
    console.print(Text(f"\nAgainst the baseline {terminal(_source(comparison))}"), soft_wrap=True)
    columns = [Column("job"), Column("verdict"), Column("metric")]
    columns += [Column(name, right=True) for name in ("before", "now", "p")]
    rows: list[list[Cell]] = []
    for job in comparison.jobs:
        for number, metric in enumerate(job.metrics or (None,)):
            verdict = Text(plain(job.verdict), style=_STYLES.get(job.verdict, ""))
            rows.append([*((job.name, verdict) if number == 0 else ("", "")), *_cells(metric)])
    print_table(columns, rows, console)
    for job in comparison.jobs:
        for line in _said(job):
            console.print(Text(f"  - {terminal(line)}"), soft_wrap=True)


def _source(comparison: Comparison) -> str:
    commit = f", commit {comparison.baseline_commit[:12]}" if comparison.baseline_commit else ""
    return f"{comparison.baseline} of {comparison.baseline_finished_at}{commit}"


def _cells(metric: MetricComparison | None) -> list[str]:
    if metric is None:
        return [""] * 4
    sides = (quantity(metric.metric, value) for value in (metric.before, metric.now))
    return [plain(metric.metric), *sides, f"{metric.adjusted_p_value:.2g}"]


def _said(job: JobComparison) -> Iterator[str]:
    """Yield what is to be said of a job beside its numbers."""
    if not job.metrics or job.verdict == "not_comparable":
        yield f"{job.name}: {job.reason}"
    for metric in job.metrics:
        if metric.change != "unchanged" or metric.advice:
            yield f"{job.name}: {metric.test} on {plain(metric.metric)}: {metric.detail}"
        if metric.advice:
            yield f"{job.name}: {metric.advice}"
    if job.metrics and not job.metrics[0].paired:
        yield f"{job.name}: not the same examples, so only the counts of right answers are compared"
    for warning in job.warnings:
        yield f"{job.name}: {warning}"
    if job.speed_note:
        yield f"{job.name}: {job.speed_note}"


def against_markdown(comparison: Comparison) -> str:
    """Return the same as Markdown: a table, then a line for each thing to be said."""
    rows = [
        [
            code(job.name),
            f"**{plain(job.verdict)}**" if job.verdict in _STYLES else plain(job.verdict),
            *cells,
        ]
        for job in comparison.jobs
        for cells in [[prose(cell) for cell in _cells(metric)] for metric in job.metrics or (None,)]
    ]
    said = [f"- {prose(line)}" for job in comparison.jobs for line in _said(job)]
    parts = [
        f"## Against the baseline {code(comparison.baseline)}",
        f"Its batch ended {prose(comparison.baseline_finished_at)}. "
        "p-values are adjusted for all the tests (Holm).",
        table(["job", "verdict", "metric", "before", "now", "p"], rows, "lllrrr"),
        "\n".join(said),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"
