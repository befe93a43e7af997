"""The group of commands, and the checks before any command: variables, packages, misplaced options."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup

import job
from job.batch.report_guard import ReportGuard
from job.batch.shard import parse_shard
from job.cli.on_end import ON_END_VARIABLE, EndHook
from job.cli.option_variables import check_variables
from job.cli.options import DEFAULT_OUTPUT
from job.errors import JobError, UsageError
from job.process.import_path import shadowing_packages


class CommandGroup(TyperGroup):
    """The group of subcommands; without a subcommand, the batch runs."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Parse the command line; if the options of a batch are wrong, write reports with the error."""
        given = list(args)
        if self.commands.keys() & set(given):
            return super().make_context(info_name, args, *rest, **extra)
        guard, on_end = _guard_and_command(given)
        with EndHook(on_end, guard).runs_at_end(), guard.reports_on_error():
            return super().make_context(info_name, args, *rest, **extra)


def _guard_and_command(arguments: Sequence[str]) -> tuple[ReportGuard, str | None]:
    """Return the report guard of a run whose options may be wrong, and the command to run at its end.

    The output directory, shard and command are taken from the arguments without checking the other options.
    """
    found = {
        "--output-dir": os.environ.get("SEQ2SEQ_JOB_OUTPUT_DIR"),
        "--shard": os.environ.get("SEQ2SEQ_JOB_SHARD"),
        "--on-end": os.environ.get(ON_END_VARIABLE),
    }
    for number, argument in enumerate(arguments):
        option, equals, value = argument.partition("=")
        if option in found:
            found[option] = value if equals else next(iter(arguments[number + 1 :]), None)
    shard = None if found["--shard"] else ""
    with suppress(JobError):
        shard = parse_shard(found["--shard"], os.environ).label if found["--shard"] else ""
    return ReportGuard(Path(found["--output-dir"] or DEFAULT_OUTPUT), shard), found["--on-end"]


def check_surroundings(context: typer.Context) -> None:
    """Check the environment variables and the packages on `PYTHONPATH`.

    Raises:
        UsageError: a variable is misspelt or empty, or another package named `job` could be imported.
    """
    check_variables(os.environ, _option_variables(context))
    if others := shadowing_packages():
        ours = Path(job.__file__).parent
        raise UsageError(
            f"PYTHONPATH contains another package named job: {others[0]}, but seq2seq-job needs its own: "
            f"{ours}; remove the other package from PYTHONPATH, or rename it"
        )


def _subcommands(context: typer.Context) -> dict[str, Any]:
    return dict(getattr(context.command, "commands", {}))


def _option_variables(context: typer.Context) -> Iterator[str]:
    """Yield the names of the variables of all options of all commands."""
    for command in (context.command, *_subcommands(context).values()):
        for parameter in command.params:
            names = parameter.envvar or ()
            yield from (names,) if isinstance(names, str) else names


def check_no_options_before(context: typer.Context, subcommand: str) -> None:
    """Refuse options before a subcommand: there they apply to the batch only and would be ignored.

    Raises:
        UsageError: there is one.
    """
    own = {option for parameter in _subcommands(context)[subcommand].params for option in parameter.opts}
    for parameter in context.command.params:
        source = context.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        option = parameter.opts[0]
        exists = option in own
        advice = f"put it after {subcommand}" if exists else f"{subcommand} has no such option, so remove it"
        raise UsageError(f"{option} is given before {subcommand}, where it has no effect; {advice}")
