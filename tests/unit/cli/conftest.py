import os

import pytest
from command_options import SPEC
from in_process import run_in_process


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A directory of its own with a spec, no variables set, and a terminal that breaks no lines."""
    monkeypatch.chdir(tmp_path)
    for name in [*os.environ]:
        if name.startswith(("SEQ2SEQ_JOB_", "GITHUB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "300")
    (tmp_path / "jobs.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def command(here, capsys):
    """Run the command; returns its exit code, standard output and standard error."""

    def run(*arguments):
        return run_in_process(*arguments), *capsys.readouterr()

    return run
