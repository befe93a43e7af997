"""Misplaced options and unknown variables are errors: nothing that is given is ignored."""

import pytest
from command_options import ARGUMENTS, OPTIONS


@pytest.mark.parametrize("subcommand", [name for name in OPTIONS if name])
@pytest.mark.parametrize("option", sorted(OPTIONS[""]))
def test_an_option_before_a_subcommand_is_refused(command, here, option, subcommand):
    name = option.partition("/")[0]
    takes_value = "/" not in option and name not in {"--mlflow", "--queue", "--update-baseline", "--version"}
    value = {"--time-limit": "1", "--lease-seconds": "60"}.get(name, "bad.yaml")
    code, out, err = command(name, *([value] if takes_value else []), subcommand, *(["x", "y"]))
    assert (code, out) == (2, "")
    assert f"{name} is given before {subcommand}, where it has no effect; " in err
    after = f"put it after {subcommand}\n" in err
    assert after == (name in {given.partition("/")[0] for given in OPTIONS[subcommand]})


COMMANDS = [[name, *ARGUMENTS.get(name, [])] if name else [] for name in OPTIONS]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SEQ2SEQ_JOB_SHRAD", "1/2", "did you mean SEQ2SEQ_JOB_SHARD?"),
        ("seq2seq_job_shard", "1/2", "did you mean SEQ2SEQ_JOB_SHARD?"),
        ("SEQ2SEQ_JOB_OUTPUTDIR", "x", "did you mean SEQ2SEQ_JOB_OUTPUT_DIR?"),
        ("SEQ2SEQ_JOB_", "x", "is not read by any command; unset it or correct its name"),
        ("SEQ2SEQ_JOB_SPEC_PORT", "1", "did you mean SEQ2SEQ_JOB_SPEC?"),
        ("SEQ2SEQ_JOBS_SHARD", "1/2", "did you mean SEQ2SEQ_JOB_SHARD?"),
        ("SEQ2SEQ_OUTPUT_DIR", "x", "did you mean SEQ2SEQ_JOB_OUTPUT_DIR?"),
        ("SEQ2SEQ_JOB_SHARD", "", "SEQ2SEQ_JOB_SHARD is empty; unset it, or give it a value"),
        ("SEQ2SEQ_JOB_ONLY", " ", "SEQ2SEQ_JOB_ONLY is empty; unset it, or give it a value"),
        ("SEQ2SEQ_JOB_GIT_COMMIT", "", "SEQ2SEQ_JOB_GIT_COMMIT is empty; unset it, or give it a value"),
        ("SEQ2SEQ_JOB_FRESH", "maybe", "Invalid value for '--fresh'"),
        ("SEQ2SEQ_JOB_TENSORBOARD", "2", "Invalid value for '--tensorboard'"),
        ("SEQ2SEQ_JOB_TIME_LIMIT", "soon", "Invalid value for '--time-limit'"),
    ],
)
def test_no_variable_is_ignored(command, here, monkeypatch, arguments, variable, value, sentence):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv(variable, value)
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert "Traceback" not in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


def test_a_variable_of_another_command_is_no_mistake(command, here, monkeypatch):
    for name, value in {"N_BEST": "3", "OF": "report", "OUTPUT": "x", "GIT_COMMIT": "abc"}.items():
        monkeypatch.setenv(f"SEQ2SEQ_JOB_{name}", value)
    assert command("validate")[0] == 0


def test_a_variable_of_another_program_is_no_mistake(command, here, monkeypatch):
    for name in ("SEQ2SEQ_DATA", "SEQ2SEQ_SPEC_VERSION", "SEQ2SEQ_JOBS_PORT", "MY_SEQ2SEQ_JOB_SPEC"):
        monkeypatch.setenv(name, "x")
    assert command("validate")[0] == 0


def test_in_kubernetes_the_variables_of_a_service_are_no_mistake(command, here, monkeypatch):
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    for name in ("SERVICE_HOST", "TENSORBOARD_SERVICE_PORT_HTTP", "PORT", "BOARD_PORT_6006_TCP_ADDR"):
        monkeypatch.setenv(f"SEQ2SEQ_JOB_{name}", "tcp://10.0.0.2:6006")
    assert command("validate")[0] == 0
    monkeypatch.setenv("SEQ2SEQ_JOB_SHRAD", "1/2")
    assert command("validate")[0] == 2
