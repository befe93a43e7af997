"""Run a command of the user's when a batch has ended, with a text on its standard input."""

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
"""Number of bytes at the end of the command's output among which its last line is looked for."""


def run_hook(
    command: str, text: str, environment: Mapping[str, str], timeout: float = TIMEOUT_SECONDS
) -> str:
    """Run a shell command, and return what went wrong.

    Its output is dropped, except for the last line if it fails. A signal to stop that arrives meanwhile is
    ignored, because the batch has ended already; a second one ends the command.

    Args:
        command: for `sh -c`.
        text: for its standard input.
        environment: its environment variables.
        timeout: in seconds; then the command and what it started are killed.

    Returns:
        a clause that says how the command failed; empty if its exit code is 0.
    """
    stop = Stop()
    try:
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as printed:
            given.write(text.encode())
            given.seek(0)
            with stop.handling_signals(), stop.deferring_signals():
                # in a session of its own: Ctrl-C does not reach it, and its children can be killed with it
                process = subprocess.Popen(
                    command,
                    shell=True,
                    stdin=given,
                    stdout=printed,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,
                )
                return _wait(process, printed, timeout)
    except OSError as error:
        return f"cannot be run: {error.strerror or error}"


def _wait(process: subprocess.Popen[bytes], printed: IO[bytes], timeout: float) -> str:
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
    last = _last_line(printed)
    return f"{how}: {last}" if last else how


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _last_line(printed: IO[bytes]) -> str:
    end = printed.seek(0, os.SEEK_END)
    printed.seek(max(0, end - _MAX_OUTPUT))
    lines = printed.read().decode(errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
