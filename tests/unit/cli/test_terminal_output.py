"""What the command line prints of text from outside: nothing that a terminal or a CI system acts on."""

import re

import pytest
from in_process import run_in_process

from job.cli import validate
from job.errors import InputError

HOSTILE = "\x1b[31mred\x9b2J\u202egnp [red]x[/red]\n::error::owned\n##[error]owned"
ACTS = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u2066-\u2069\u202a-\u202e\ud800-\udfff]|^\\s*::|##\\[", re.MULTILINE
)


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run the command; returns its exit code and all that it printed, which nothing acts on."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = run_in_process(*arguments)
        printed = "".join(capsys.readouterr())
        assert ACTS.search(printed) is None
        return code, printed

    return run


@pytest.mark.parametrize(
    "arguments",
    [
        [HOSTILE],
        [f"--{HOSTILE}"],
        ["--workers", HOSTILE],
        ["--time-limit", HOSTILE],
        ["--shard", HOSTILE],
        ["--log-format", HOSTILE],
        ["--spec", HOSTILE],
        ["validate", "--spec", HOSTILE],
        ["validate", HOSTILE],
        ["plan", "--spec", HOSTILE],
        ["schema", "--of", HOSTILE],
        ["report", HOSTILE],
        ["trend", HOSTILE],
    ],
    ids=lambda arguments: " ".join(arguments).replace(HOSTILE, "HOSTILE"),
)
def test_wrong_arguments(command, arguments):
    code, text = command(*arguments)
    assert code == 2
    assert "rror" in text


def test_a_baseline_that_is_not_there(command):
    assert command("compare", HOSTILE, HOSTILE)[0] == 4


def test_variables(command, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_JOB_WORKERS", HOSTILE)
    assert command()[0] == 2


def test_a_spec_with_names_and_keys_of_that_kind(command, tmp_path):
    text = 'version: 1\njobs:\n  - name: "\\e[31m\\u202e\\n::error::x"\n    "\\e[2J##[error]": 1\n'
    (tmp_path / "jobs.yaml").write_text(text)
    code, said = command("validate")
    assert code == 2
    assert "name" in said


def test_data_that_names_a_column_so(command, tmp_path):
    (tmp_path / "x.csv").write_text("\x1b[31m,b\n1,2\n")
    problem = "{kind: time_series, data: {file: x.csv, column: c}, input: 1, output: 1}"
    text = f"version: 1\njobs: [{{name: a, problem: {problem}}}]\n"
    (tmp_path / "jobs.yaml").write_text(text)
    assert command("validate")[0] == 2


@pytest.mark.parametrize(
    ("error", "code"), [(InputError(HOSTILE), 2), (OSError(5, HOSTILE), 1), (KeyError(HOSTILE), 1)]
)
def test_errors(command, monkeypatch, error, code):
    def fail(*_):
        raise error

    monkeypatch.setattr(validate, "load_checked_spec", fail)
    assert command("validate")[0] == code
