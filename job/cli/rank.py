"""The command `rank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from job.cli.options import choice, output_place
from job.cli.terminal_output import check_output_complete, open_console
from job.reports.escaping import json_document

OutputArgument = Annotated[
    Path,
    typer.Argument(
        parser=output_place,
        metavar="OUTPUT",
        help="The output directory of a batch, or the URL of a store; it may still be running.",
    ),
]
ByOption = Annotated[
    str | None,
    typer.Option(
        "--by",
        metavar="METRIC",
        envvar="SEQ2SEQ_JOB_BY",
        help="The metric: validation.NAME on the validation examples, or NAME on the test examples. By "
        "default the main metric on the validation examples.",
    ),
]
FormatOption = Annotated[
    str, typer.Option("--format", envvar="SEQ2SEQ_JOB_FORMAT", help="Output format: text, md or json.")
]


def rank(output: OutputArgument, by: ByOption = None, format: FormatOption = "text") -> None:
    """Rank jobs by a metric, best first, and mark those that cannot be told apart from the best."""
    from job.batch.recorded_ranking import rank_recorded
    from job.reports.ranking_table import print_ranking, ranking_markdown

    form = choice("--format", format, ("text", "md", "json"))
    ranking = rank_recorded(output, by)
    if form == "text":
        print_ranking(ranking, open_console())
    else:
        text = json_document(ranking.to_json()) if form == "json" else ranking_markdown(ranking)
        typer.echo(text, nl=False)
    check_output_complete()
