"""The command `trend`."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Annotated

import typer

from job.cli.options import local_file, local_or_stored
from job.cli.terminal_output import open_console, print_line
from job.storage.store_address import is_store

PlacesArgument = Annotated[
    list[str],
    typer.Argument(
        parser=local_or_stored,
        metavar="DIR_OR_GLOB...",
        help="Reports of many runs, or directories that contain them; URLs of stores too.",
    ),
]
PageOption = Annotated[
    Path,
    typer.Option(
        "--output",
        parser=local_file,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_OUTPUT",
        help="The .html file to write.",
    ),
]
FailOption = Annotated[
    bool,
    typer.Option(
        "--fail-on-change",
        envvar="SEQ2SEQ_JOB_FAIL_ON_CHANGE",
        help="Exit with code 3 if a run is bad (its exit code is neither 0 nor that of an interruption, or "
        "it records a failed job, a failed gate or a regression), or if a metric of the test became worse by "
        "more than chance and has not recovered.",
    ),
]
DEFAULT_PAGE = Path("trend.html")


def trend(
    places: PlacesArgument, output: PageOption = DEFAULT_PAGE, fail_on_change: FailOption = False
) -> None:
    """Show how each metric changed over many runs: its noise, its change points and the first bad run."""
    from job.storage.artifacts import write_text
    from job.trend.metric_series import all_series
    from job.trend.runs import read_runs
    from job.trend.trend_page import trend_page
    from job.trend.trend_table import print_trend

    runs, skipped = read_runs([*map(_local, places)])
    for report in skipped:
        print_line(f"warning: {report}", err=True)
    series = all_series(runs)
    write_text(output, trend_page(runs, series, skipped, directory=output.parent))
    verdict = print_trend(runs, series, open_console(), skipped)
    print_line(f"trend: {output}")
    if fail_on_change:
        raise typer.Exit(verdict.exit_code)


def _local(place: str) -> str:
    """Return a place on this machine, to which the reports of stores are fetched."""
    if not is_store(place):
        return place
    from job.storage.fetched_places import fetch_reports

    return glob.escape(str(fetch_reports(place)))
