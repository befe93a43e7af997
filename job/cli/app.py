"""The Typer app with its commands, and the one error boundary: only here do errors become exit codes."""

from __future__ import annotations

import gc
import io
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn

import typer

from job.batch.report_guard import describe_error
from job.cli.command_group import CommandGroup
from job.cli.commands import COMMANDS
from job.cli.run import run
from job.cli.terminal_output import print_error_lines
from job.errors import FAILED, JobError
from job.process.standard_streams import secure_streams
from job.process.stopping import Stop, Stopped
from job.storage.store_address import with_addresses

app = typer.Typer(
    cls=CommandGroup,
    add_completion=False,
    rich_markup_mode=None,  # plain lines, not boxes: for logs too
    pretty_exceptions_enable=False,
    no_args_is_help=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback(invoke_without_command=True)(run)
for command in COMMANDS:
    app.command()(command)

_USAGE_ERROR: Any = next(base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException")
"""The class of errors in the command line; newer versions of Typer bring a Click of their own."""


def main() -> None:
    """Run the command and exit with its exit code.

    A container's first process has no default reaction to signals, so every command handles them.
    """
    gc.set_threshold(50_000)  # a command makes many objects and next to no garbage; to look for it took 5 %
    secure_streams()
    try:
        with Stop().handling_signals():
            _run_command()
    except Stopped as stopped:
        _fail(stopped)


def _run_command() -> NoReturn:
    try:
        code = app(prog_name="seq2seq-job", standalone_mode=False)
    except _USAGE_ERROR as error:
        _fail_with_usage(error)
    except Exception as error:
        if not isinstance(error, JobError | OSError):
            print_error_lines(traceback.format_exc())
        _fail(error)
    sys.exit(code if isinstance(code, int) else 0)


def _fail_with_usage(error: Any) -> NoReturn:
    """Print how the command is used and what is wrong, and exit."""
    text = io.StringIO()
    error.show(text)
    print_error_lines(with_addresses(text.getvalue() + _advice_for_spec(error)))
    sys.exit(error.exit_code)


def _advice_for_spec(error: Any) -> str:
    """Return how to name the spec where a YAML file was given as an argument, else nothing."""
    takes_spec = error.ctx is not None and any("--spec" in p.opts for p in error.ctx.command.params)
    for argument in sys.argv[1:]:
        if takes_spec and Path(argument).suffix in (".yaml", ".yml") and argument in error.format_message():
            return f"To name the spec, write --spec {argument}.\n"
    return ""


def _fail(error: BaseException) -> NoReturn:
    """Print an error's message, and exit with its exit code."""
    exit_code, text = describe_error(error) or (FAILED, str(error))
    print_error_lines(text, "error: ")
    sys.exit(exit_code)
