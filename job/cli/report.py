"""The command `report`."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer

from job.batch.report_guard import ReportGuard
from job.cli.finished_batch import check_update_options, report_to_github, update_if_successful
from job.cli.options import BaselineOption, UpdateOption, local_path
from job.cli.terminal_output import open_console

DirectoriesArgument = Annotated[
    list[Path],
    typer.Argument(
        parser=local_path,
        metavar="DIR...",
        help="The output directory of a batch, or those of all its shards.",
    ),
]
GatheredOption = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        parser=local_path,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_OUTPUT_DIR",
        help="Where results are gathered and reports go; by default the first DIR.",
    ),
]


def report(
    directories: DirectoriesArgument,
    output_dir: GatheredOption = None,
    baseline: BaselineOption = None,
    update_baseline: UpdateOption = False,
) -> None:
    """Build the reports from the results in one or several output directories, and judge them by the plan."""
    from job.batch.merge import merge_reports
    from job.reports.terminal import print_summary
    from job.storage.artifacts import OutputPaths

    check_update_options(baseline, update_baseline, shard=False)
    destination = output_dir or directories[0]
    guard = ReportGuard(destination, planned=True)
    # Reports in a directory that is read are those of a run, which a merge needs: they stay.
    apart = destination.resolve() not in [path.resolve() for path in directories]
    with guard.reports_on_error() if apart else nullcontext():
        merged = merge_reports(directories, output_dir, baseline)
    print_summary(merged, open_console())
    report_to_github(merged)
    if update_baseline and baseline is not None:
        names = [*(job.name for job in merged.jobs), *merged.missing]
        update_if_successful(baseline, OutputPaths(destination), merged, names)
    raise typer.Exit(merged.exit_code)
