"""Writing to standard output and standard error: text from outside escaped, incomplete output an error."""

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
    """Check that standard output took everything that was written to it.

    Raises:
        typer.Exit: its reader has closed it; with exit code 1, and without a message.
        JobError: it cannot be written to, on a full disk for example.
    """
    sys.stdout.flush()
    error = output_error()
    if error is None:
        return
    if isinstance(error, BrokenPipeError):
        raise typer.Exit(FAILED)
    raise JobError(f"standard output: {error.strerror or error}; what it holds is not complete")
