"""The command `report`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from job.batch.report_guard import ReportGuard
from job.cli.finished_batch import check_update_options, report_to_github, update_if_successful
from job.cli.on_end import EndHook, OnEndOption
from job.cli.options import BaselineOption, UpdateOption, gathered_place, local_path
from job.cli.store import StoreOption, fetch_results, store_copy, uploaded_at_end
from job.cli.terminal_output import open_console
from job.storage.store_address import is_copy

DirectoriesArgument = Annotated[
    list[Path],
    typer.Argument(
        parser=gathered_place,
        metavar="DIR...",
        help="The output directory of a batch, or those of all its shards; the URLs of stores too, with "
        "--output-dir.",
    ),
]
GatheredOption = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        parser=local_path,
        metavar="PATH",
        envvar="SEQ2SEQ_JOB_OUTPUT_DIR",
        help="The directory to collect results in and to write reports to; by default the first DIR.",
    ),
]
HideOption = Annotated[
    bool,
    typer.Option(
        "--hide-test",
        envvar="SEQ2SEQ_JOB_HIDE_TEST",
        help="Show only validation metrics on the terminal, in report.html and in report.md, while you "
        "choose among variants.",
    ),
]


def report(
    directories: DirectoriesArgument,
    output_dir: GatheredOption = None,
    baseline: BaselineOption = None,
    update_baseline: UpdateOption = False,
    hide_test: HideOption = False,
    store: StoreOption = None,
    on_end: OnEndOption = None,
) -> None:
    """Write the reports of the results in one or more output directories, judged by the gates of the plan."""
    if output_dir is None and is_copy(directories[0]):
        text = "the first DIR is a store, which is only read; expected a directory for the results"
        raise typer.BadParameter(text, param_hint="--output-dir")
    guard = ReportGuard(output_dir or directories[0], planned=True)
    hook, copy = EndHook(on_end, guard), store_copy(store)
    with hook.runs_at_end(), uploaded_at_end(copy):
        hook.check()
        check_update_options(baseline, update_baseline, shard=False)
        copy.check()
        if store is not None:
            fetch_results(copy, guard.root)
        _merge(directories, output_dir, baseline, guard, update=update_baseline, hide_test=hide_test)


def _merge(
    directories: Sequence[Path],
    output_dir: Path | None,
    baseline: Path | None,
    guard: ReportGuard,
    *,
    update: bool,
    hide_test: bool,
) -> NoReturn:
    """Merge the results, print the summary, update the baseline, and exit with the batch's exit code."""
    from job.batch.merge import merge_reports
    from job.reports.terminal import print_summary
    from job.reports.without_test import without_test
    from job.storage.artifacts import OutputPaths

    destination = guard.root
    # In an input directory the reports are those of a run, and merging reads them: keep them on an error.
    apart = destination.resolve() not in [path.resolve() for path in directories]
    with guard.reports_on_error() if apart else nullcontext():
        merged = merge_reports(directories, output_dir, baseline, hide_test=hide_test)
    guard.reported, guard.report = True, merged
    shown = without_test(merged) if hide_test else merged
    print_summary(shown, open_console())
    report_to_github(shown)
    if update and baseline is not None:
        names = [*(job.name for job in merged.jobs), *merged.missing]
        update_if_successful(baseline, OutputPaths(destination), merged, names)
    raise typer.Exit(merged.exit_code)
