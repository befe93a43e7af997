"""The error boundary: a sentence and an exit code for each error."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import job
from job.cli import app as cli
from job.errors import (
    Complaint,
    DependencyError,
    InputError,
    JobError,
    NonFiniteError,
    OutputError,
    SpecError,
    TrainingError,
)
from job.process.stopping import Request, Stopped


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (JobError("it failed"), 1, "error: it failed\n"),
        (TrainingError("it failed"), 1, "error: it failed\n"),
        (OutputError("no room"), 2, "error: no room\n"),
        (InputError("a line"), 2, "error: a line\n"),
        (DependencyError("too old"), 2, "error: too old\n"),
        (
            SpecError([Complaint("b", 2, "k", "second"), Complaint("a", 1, "", "first")]),
            2,
            "error: a:1: first\nerror: b:2: k: second\n",
        ),
        (Stopped(Request("SIGINT", 130)), 130, "error: stopped by SIGINT\n"),
        (
            OSError(errno.ENOSPC, "No space left on device", "out/report.json"),
            1,
            "error: out/report.json: No space left on device; the batch cannot continue\n",
        ),
        (OSError("odd"), 1, "error: a file: odd; the batch cannot continue\n"),
    ],
)
def test_an_error_is_a_sentence_and_an_exit_code(command, monkeypatch, error, code, text):
    def fail(**_):
        raise error

    monkeypatch.setattr(cli, "app", fail)
    assert command() == (code, "", text)


def test_an_unexpected_error_is_reported_as_a_bug_with_its_traceback(command, monkeypatch):
    def fail(**_):
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli, "app", fail)
    code, out, err = command()
    assert (code, out) == (1, "")
    assert err.startswith("Traceback (most recent call last):")
    assert err.endswith("error: this is a bug of seq2seq-job: ZeroDivisionError: division by zero\n")


def test_a_reader_that_has_gone_is_no_traceback(here):
    package = Path(job.__file__).parents[1]
    script = f'PYTHONPATH="{package}" "{sys.executable}" -m job schema; echo "code $?" >&2'
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(["sh", "-c", script], stdout=writer, stderr=subprocess.PIPE, text=True, check=True)
    os.close(writer)
    assert done.stderr == "code 1\n"


def test_a_training_error_is_retried_and_a_usage_error_is_not():
    assert NonFiniteError(1, "loss").exit_code == 1
    assert {error.exit_code for error in (SpecError, OutputError, InputError, DependencyError)} == {2}
