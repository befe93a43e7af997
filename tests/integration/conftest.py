"""The command in this process, for what needs no process of its own: starting one takes seconds."""

import os
import sys

import pytest
from in_process import Ended, run_in_process


@pytest.fixture
def run_here(tmp_path_factory, monkeypatch, capfdbinary):
    """A function that runs the command in this process, in the directory `cwd`, with the input `given`."""
    for name in [*os.environ]:
        if name.startswith("SEQ2SEQ_JOB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "200")
    given_file = tmp_path_factory.mktemp("given") / "stdin"

    def run(*arguments, cwd, given=""):
        given_file.write_text(given, "utf-8")
        with monkeypatch.context() as patch, given_file.open(encoding="utf-8") as stdin:
            patch.chdir(cwd)
            patch.setattr(sys, "stdin", stdin)
            capfdbinary.readouterr()
            code = run_in_process(*arguments)
        out, err = capfdbinary.readouterr()
        return Ended(code, out.decode(), err.decode())

    return run
