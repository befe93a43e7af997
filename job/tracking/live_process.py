"""Follow a batch with MLflow while it runs, in a process of its own that the batch never waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from job.process.import_path import program_command, worker_variables
from job.storage.artifacts import OutputPaths
from job.tracking.mlflow_process import DEFAULTS

ENDING_SECONDS = 15.0
"""How long the process has to end the request that it has begun: a request has at most 10 seconds."""

_PROGRAM = "from job.tracking.live_program import main; sys.exit(main(*sys.argv[2:]))"


@contextmanager
def followed_by_mlflow(output: OutputPaths) -> Iterator[None]:
    """Send points while the block trains the jobs of a batch.

    Nothing that happens there changes the batch; what was not sent is logged at the end.

    Args:
        output: the output directory.
    """
    process = _start(output)
    try:
        yield
    finally:
        if process is not None:
            _end(process)


def _start(output: OutputPaths) -> subprocess.Popen[bytes] | None:
    arguments = (os.path.abspath(output.root), output.shard, str(os.getpid()))
    try:
        return subprocess.Popen(
            program_command(sys.executable, _PROGRAM, *arguments),
            stdin=subprocess.PIPE,  # its end tells the process that this one has ended, however it did
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**DEFAULTS, **worker_variables()},
            start_new_session=True,  # Ctrl-C does not reach it
        )
    except OSError:
        return None


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(ENDING_SECONDS)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
