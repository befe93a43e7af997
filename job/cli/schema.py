"""The command `schema`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from job.cli.options import choice
from job.cli.terminal_output import check_output_complete

OfOption = Annotated[
    str,
    typer.Option("--of", envvar="SEQ2SEQ_JOB_OF", help="What to describe: spec, or report (report.json)."),
]


def schema(of: OfOption = "spec") -> None:
    """Print the JSON Schema of the spec, for editors, or of report.json."""
    from job.reports.report_schema import report_schema
    from job.spec.spec_file import json_schema

    build = {"spec": json_schema, "report": report_schema}
    typer.echo(json.dumps(build[choice("--of", of, tuple(build))](), indent=2))
    check_output_complete()
