"""The command `plan`."""

from __future__ import annotations

from typing import Annotated

import typer

from job.batch.shard import MAX_SHARDS
from job.cli.checked_spec import estimate_spec, load_checked_spec
from job.cli.options import DEFAULT_OUTPUT, DEFAULT_SPEC, OutputOption, SpecOption, choice
from job.cli.terminal_output import check_output_complete, open_console, print_line
from job.reports.escaping import json_document

ShardsOption = Annotated[
    int | None,
    typer.Option(
        "--shards",
        min=1,
        max=MAX_SHARDS,
        metavar="N",
        envvar="SEQ2SEQ_JOB_SHARDS",
        help="Also show which jobs each of N shards (--shard I/N) would run, and how long it would take.",
    ),
]
SaveOption = Annotated[
    bool,
    typer.Option(
        "--save-shards",
        envvar="SEQ2SEQ_JOB_SAVE_SHARDS",
        help="With --shards: distribute the jobs by their recorded times in the output directory, where "
        "there are any, and save the result there as shards.json. All shards must use this output directory; "
        "they run the jobs that the file gives them.",
    ),
]
FormatOption = Annotated[
    str, typer.Option("--format", envvar="SEQ2SEQ_JOB_FORMAT", help="Output format: text or json.")
]


def plan(
    spec: SpecOption = DEFAULT_SPEC,
    output_dir: OutputOption = DEFAULT_OUTPUT,
    shards: ShardsOption = None,
    save_shards: SaveOption = False,
    format: FormatOption = "text",
) -> None:
    """Show the jobs of the expanded spec: their sizes, what a run would compute for each, and why."""
    from job.batch.plan_table import plan_json, print_plan, print_shards
    from job.batch.planning import make_plan
    from job.batch.shard_jobs import expected_deal, save_measured_deal
    from job.batch.shared_trainings import share_trainings
    from job.storage.artifacts import OutputPaths

    if save_shards and shards is None:
        raise typer.BadParameter("expected --shards too: the number of shards", param_hint="--save-shards")
    form = choice("--format", format, ("text", "json"))
    if form == "json" and shards is not None:
        raise typer.BadParameter("the JSON plan contains no shards; remove --shards", param_hint="--format")
    located, problems = load_checked_spec(spec)
    estimated, output = estimate_spec(located.spec, problems), OutputPaths(output_dir)
    jobs, costs, checksums = estimated.spec.jobs, estimated.costs, estimated.checksums
    planned = share_trainings(make_plan(estimated.spec, output, checksums))
    if form == "json":
        typer.echo(json_document(plan_json(planned, problems)), nl=False)
    else:
        print_plan(planned, problems, open_console())
    if shards is not None:
        deal_jobs = save_measured_deal if save_shards else expected_deal
        deal = deal_jobs(jobs, shards, costs, checksums, output)
        print_line("")
        print_shards(deal, open_console())
    check_output_complete()
