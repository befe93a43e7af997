"""The command `cancel`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from job.cli.options import local_path
from job.cli.terminal_output import print_line

BatchArgument = Annotated[
    Path, typer.Argument(parser=local_path, metavar="DIR", help="The output directory of a running batch.")
]
JobArgument = Annotated[str, typer.Argument(metavar="JOB", help="Name of the job.")]


def cancel(directory: BatchArgument, name: JobArgument) -> None:
    """Stop one running job, on any machine, with its state saved; the rest of the batch continues."""
    from job.batch.cancelling import WAIT_SECONDS, request_cancel, wait_for_cancel

    host = request_cancel(directory, name)
    print_line(f"{name}: asked {host} to save its state and stop")
    found = wait_for_cancel(directory, name)
    if found.running:
        print_line(f"{name}: still {found.state} after {WAIT_SECONDS:g} s; the request stays until it stops")
    else:
        print_line(f"{name}: {found.state}")
