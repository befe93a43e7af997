"""The option `--on-end`: run the user's command, with the verdict as input, when a batch has ended."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import typer

from job.batch.report_guard import ReportGuard, describe_error
from job.cli.terminal_output import print_line

ON_END_VARIABLE = "SEQ2SEQ_JOB_ON_END"

OnEndOption = Annotated[
    str | None,
    typer.Option(
        "--on-end",
        metavar="COMMAND",
        envvar=ON_END_VARIABLE,
        help="A shell command to run after the reports are written, however the batch ends. It reads the "
        "verdict as JSON from standard input. If it fails, the exit code does not change.",
    ),
]


@dataclass
class EndHook:
    """The command of `--on-end`.

    Args:
        command: for the shell; None for no command.
        guard: the batch's report guard, which records whether reports were written.
    """

    command: str | None
    guard: ReportGuard

    @contextmanager
    def runs_at_end(self) -> Iterator[None]:
        """Run the command after the block, also if the block raises; its exception is raised again."""
        try:
            yield
        except BaseException as error:
            described = describe_error(error)
            code = getattr(error, "exit_code", None)
            if described is not None:
                self._run(described)
            elif self.guard.report is not None and code not in (None, self.guard.report.exit_code):
                self._run((int(code), f"exit code {code}"))
            elif self.guard.report is not None:
                self._run(None)
            raise

    def check(self) -> None:
        """Raise `typer.BadParameter` if the command is empty."""
        if self.command is not None and not self.command.strip():
            raise typer.BadParameter("the command is empty", param_hint="--on-end")

    def _run(self, error: tuple[int, str] | None) -> None:
        """Run the command; if it fails, print one line on standard error."""
        if self.command is None or not self.command.strip():
            return
        from job.process.hook import run_hook
        from job.reports.end_message import end_message
        from job.storage.artifacts import OutputPaths

        guard = self.guard
        message = end_message(
            OutputPaths(guard.root, guard.shard or ""),
            guard.report,
            written=guard.reported or guard.replaced,
            error=None if error is None else (error[0], error[1].splitlines()),
        )
        environment = {name: value for name, value in os.environ.items() if name != ON_END_VARIABLE}
        if problem := run_hook(self.command, message.to_json(), environment):
            print_line(f"warning: the command of --on-end {problem}", err=True)
