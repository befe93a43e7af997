"""Write to standard output and standard error: escape control characters, report incomplete output."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import typer

from job.errors import FAILED, JobError
from job.process.standard_streams import output_error
from job.reports.escaping import terminal, terminal_lines

if TYPE_CHECKING:
    from rich.console import Console


def print_line(text: str, *, err: bool = False) -> None:
    """Print one line, with control characters escaped; to standard error if `err`."""
    typer.echo(terminal(text), err=err)


def print_error_lines(text: str, prefix: str = "") -> None:
    """Print text of several lines to standard error, with control characters escaped."""
    for line in terminal_lines(text):
        typer.echo(f"{prefix}{line}", err=True)


def open_console() -> Console:
    """Return a console on standard output that escapes characters its encoding lacks."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    console = Console()
    return console if console.width > 0 else Console(width=80)  # COLUMNS may be 0


def check_output_complete() -> None:
    """Check that everything was written to standard output.

    Raises:
        typer.Exit: the reader has closed standard output; exit code 1, without a message.
        JobError: standard output cannot be written to, for example because the disk is full.
    """
    sys.stdout.flush()
    error = output_error()
    if error is None:
        return
    if isinstance(error, BrokenPipeError):
        raise typer.Exit(FAILED)
    raise JobError(f"standard output: {error.strerror or error}; the output is incomplete")
