"""The command `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from job.cli.options import choice, output_place
from job.cli.terminal_output import check_output_complete, open_console, print_line
from job.reports.escaping import json_document

BaselineArgument = Annotated[
    Path,
    typer.Argument(
        parser=output_place,
        metavar="BASELINE",
        help="The output directory of an earlier run, its report.json, or the URL of a store.",
    ),
]
CandidateArgument = Annotated[
    Path | None,
    typer.Argument(
        parser=output_place,
        metavar="CANDIDATE",
        help="The output directory of the run to judge, its report.json, or the URL of a store; not with "
        "--jobs.",
    ),
]
JobsOption = Annotated[
    str | None,
    typer.Option(
        "--jobs",
        metavar="A,B",
        envvar="SEQ2SEQ_JOB_JOBS",
        help="Compare two jobs of one batch, whose output directory is BASELINE: job B with job A, on the "
        "same test examples.",
    ),
]
FormatOption = Annotated[
    str, typer.Option("--format", envvar="SEQ2SEQ_JOB_FORMAT", help="Output format: text, md or json.")
]


def compare(
    baseline: BaselineArgument,
    candidate: CandidateArgument = None,
    jobs: JobsOption = None,
    format: FormatOption = "text",
) -> None:
    """Compare a batch with a baseline; the exit code is 3 if a job is worse by more than chance."""
    from job.batch.recorded_comparison import compare_and_judge
    from job.batch.variant_comparison import compare_jobs
    from job.reports.markdown import comparison_markdown
    from job.reports.terminal import print_comparison

    form = choice("--format", format, ("text", "md", "json"))
    if candidate is not None and jobs is None:
        found, verdict = compare_and_judge(baseline, candidate)
    elif candidate is None and jobs is not None:
        found, verdict = compare_jobs(baseline, jobs)
    else:
        raise typer.BadParameter("expected BASELINE CANDIDATE, or one batch and --jobs A,B")
    if form == "text":
        print_comparison(found, open_console())
    else:
        typer.echo(json_document(found.to_json()) if form == "json" else comparison_markdown(found), nl=False)
    for reason in verdict.reasons:
        print_line(reason, err=True)
    if form != "text" and not verdict.exit_code:
        check_output_complete()
    raise typer.Exit(verdict.exit_code)
