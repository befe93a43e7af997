"""The command `seq2seq-job`, run in this process."""

import io
import os
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest

from job.cli import main


@dataclass(frozen=True)
class Ended:
    """Exit code, standard output and standard error of a command."""

    code: int
    out: str
    err: str


def run_in_process(*arguments):
    """Run the command with these arguments; return its exit code. What it prints is for `capsys`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["seq2seq-job", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            main()
    return exited.value.code or 0


@contextmanager
def in_directory(cwd):
    """Work in a directory, with a wide terminal and without environment variables of the command."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [*os.environ]:
            if name.startswith("SEQ2SEQ_JOB_"):
                patch.delenv(name)
        patch.setenv("COLUMNS", "200")
        patch.chdir(cwd)
        yield patch


def run_in(cwd, *arguments):
    """Run the command in a directory, without `capsys`. Its workers are processes of their own.

    Returns:
        Exit code, standard output and standard error.
    """
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with in_directory(cwd), redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        code = run_in_process(*arguments)
    return Ended(code, *(stream.buffer.getvalue().decode() for stream in streams))
