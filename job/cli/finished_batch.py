"""Steps after the reports of a run or of `report` are written: GitHub Actions, MLflow, the baseline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from job.cli.terminal_output import print_line
from job.errors import STOP_EXITS
from job.storage.store_address import is_copy

if TYPE_CHECKING:
    from job.results.batch_report import Report
    from job.storage.artifacts import OutputPaths


def report_to_github(report: Report) -> None:
    """In GitHub Actions, print an annotation for each failure and write the step's summary."""
    from job.reports.github import workflow_commands, write_summary

    for line in workflow_commands(report, os.environ):
        typer.echo(line)
    try:
        write_summary(report, os.environ)
    except OSError as error:  # the summary is a convenience: the batch's exit code stays
        print_line(f"warning: {error.filename}: {error.strerror}; the step has no summary", err=True)


def report_to_mlflow(report: Report, output: OutputPaths) -> None:
    """Log a batch to MLflow, unless it was stopped; if that fails, print a line. The exit code stays."""
    if report.exit_code in STOP_EXITS:
        text = "the batch was stopped, so it is not logged to MLflow; the run that resumes it does that"
        print_line(f"warning: {text}", err=True)
        return
    from job.tracking.mlflow_process import log_to_mlflow

    if problem := log_to_mlflow(output):
        text = f"not all is logged to MLflow: its client {problem}; run the batch again to log the rest"
        print_line(f"warning: {text}", err=True)


def check_update_options(baseline: Path | None, update: bool, *, shard: bool) -> None:
    """Check that `--update-baseline` is possible with the other options.

    Raises:
        typer.BadParameter: there is no baseline to update, or the run is one of several shards.
    """
    if update and baseline is None:
        raise typer.BadParameter(
            "expected --baseline too: the baseline to update", param_hint="--update-baseline"
        )
    if update and baseline is not None and is_copy(baseline):
        text = "a baseline in a store is only read; to replace it, run the batch with --store of that URL"
        raise typer.BadParameter(text, param_hint="--update-baseline")
    if update and shard:
        text = (
            "a shard has only some of the results; update the baseline with seq2seq-job report of all shards"
        )
        raise typer.BadParameter(text, param_hint="--update-baseline")


def update_if_successful(baseline: Path, output: OutputPaths, report: Report, planned: list[str]) -> None:
    """Replace the baseline's results with the batch's if its exit code is 0, and print what was done.

    Args:
        baseline: an output directory or a `report.json`.
        output: of the batch.
        report: of the batch.
        planned: names of all jobs of the spec, in its order.
    """
    if report.exit_code:
        print_line(f"baseline {baseline} is not updated: the exit code is {report.exit_code}", err=True)
        return
    from job.batch.baseline_update import update_baseline

    update_baseline(baseline, output, report, planned)
    print_line(f"baseline updated: {baseline}")
