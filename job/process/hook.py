"""Run the user's command at the end of a batch, with a text on its standard input."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from typing import IO

from job.process.stopping import Stop, Stopped

TIMEOUT_SECONDS = 60.0
"""Maximum duration of the command."""

_MAX_OUTPUT = 4096
"""Number of bytes at the end of the command's output in which its last line is searched."""


def run_hook(
    command: str, text: str, environment: Mapping[str, str], timeout: float = TIMEOUT_SECONDS
) -> str:
    """Run a shell command and return how it failed.

    Its output is discarded, except for the last line if it fails. The first signal to stop is ignored,
    because the batch has already ended; a second one kills the command.

    Args:
        command: Command for `sh -c`.
        text: Standard input of the command.
        environment: Environment variables of the command.
        timeout: Timeout in seconds, after which the command and its child processes are killed.

    Returns:
        A clause that describes the failure; empty if the exit code is 0.
    """
    stop = Stop()
    try:
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as output:
            stdin.write(text.encode())
            stdin.seek(0)
            with stop.handling_signals(), stop.deferring_signals():
                # in its own session: Ctrl-C does not reach it, and its child processes can be killed with it
                process = subprocess.Popen(
                    command,
                    shell=True,
                    stdin=stdin,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
                return _wait(process, output, timeout)
    except OSError as error:
        return f"cannot be run: {error.strerror or error}"


def _wait(process: subprocess.Popen[bytes], output: IO[bytes], timeout: float) -> str:
    try:
        code = process.wait(timeout)
    except subprocess.TimeoutExpired:
        _kill(process)
        return f"did not end within {timeout:g} seconds and was killed"
    except Stopped as stopped:
        _kill(process)
        return f"was killed because of {stopped.request.cause}"
    if not code:
        return ""
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    last = _last_line(output)
    return f"{how}: {last}" if last else how


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(output: IO[bytes]) -> str:
    end = output.seek(0, os.SEEK_END)
    output.seek(max(0, end - _MAX_OUTPUT))
    lines = output.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
