"""The command `seq2seq-job`, run in this process."""

import sys
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
