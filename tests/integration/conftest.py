"""Signals of the processes that are started; the command in this process, for what needs none of its own."""

import signal
import sys

import pytest
from in_process import Ended, in_directory, run_in_process


@pytest.fixture(scope="session", autouse=True)
def hangups():
    """Have started processes react to SIGHUP, also if the tests run under nohup: ignoring it is inherited."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture
def run_here(tmp_path_factory, capfdbinary):
    """A function that runs the command in this process, in the directory `cwd`, with the input `given`."""
    given_file = tmp_path_factory.mktemp("given") / "stdin"

    def run(*arguments, cwd, given=""):
        given_file.write_text(given, "utf-8")
        with in_directory(cwd) as patch, given_file.open(encoding="utf-8") as stdin:
            patch.setattr(sys, "stdin", stdin)
            capfdbinary.readouterr()
            code = run_in_process(*arguments)
        out, err = capfdbinary.readouterr()
        return Ended(code, out.decode(), err.decode())

    return run
