"""The command `status`."""

from __future__ import annotations

from typing import Annotated

import typer

from job.cli.options import choice, local_or_stored
from job.cli.terminal_output import check_output_complete, open_console

WatchedArgument = Annotated[
    list[str],
    typer.Argument(
        parser=local_or_stored,
        metavar="DIR...",
        help="The output directory of a batch, or those of all its shards; URLs of stores too.",
    ),
]
WatchOption = Annotated[
    bool,
    typer.Option(
        "--watch",
        envvar="SEQ2SEQ_JOB_WATCH",
        help="Show the status again every 2 seconds (every 12 for a store) until the batch has ended.",
    ),
]
StatusFormatOption = Annotated[
    str, typer.Option("--format", envvar="SEQ2SEQ_JOB_FORMAT", help="Output format: text or json.")
]


def status(
    directories: WatchedArgument, watch: WatchOption = False, format: StatusFormatOption = "text"
) -> None:
    """Show the progress of each job of a batch, on any machine, and when the batch will end."""
    from job.batch.status_display import current_status, print_status, watch_status
    from job.batch.stored_status import status_reader
    from job.reports.escaping import json_document

    form = choice("--format", format, ("text", "json"))
    reader = status_reader(directories)
    if watch and form == "text":
        watch_status(reader, open_console())
    elif watch:
        watch_status(reader, None, lambda found: typer.echo(json_document(found.to_json()), nl=False))
    elif form == "text":
        print_status(current_status(reader), open_console())
    else:
        typer.echo(json_document(current_status(reader).to_json()), nl=False)
    check_output_complete()
