"""The command line in this process, up to the batch; what the batch does is tested in `batch/`."""

import errno
import json
import os
import re
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
import typer

import job
from job.batch.lock import lock_output
from job.batch.progress import Log
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
from job.process import environment
from job.process.stopping import Request, Stopped
from job.reports.report_files import build_report
from job.results.batch_report import Verdict
from job.workers import limits as resources

SPEC = """\
version: 1
defaults: {training: {examples: 1000, batch_size: 10}}
jobs:
  - name: tiny
    problem: {kind: copy, source_length: 2, cardinality: 6}
  - name: sums
    matrix: {problem.digits: [1, 2]}
    problem: {kind: addition}
"""


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
def command(here, monkeypatch, capsys):
    """Run the command; returns its exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["seq2seq-job", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capsys.readouterr()
        return left.value.code or 0, out, err

    return run


# --- the contract -------------------------------------------------------------------------------------------

OPTIONS = {
    "": {
        "--spec",
        "--output-dir",
        "--only",
        "--workers",
        "--shard",
        "--fresh/--no-fresh",
        "--fail-fast/--no-fail-fast",
        "--time-limit",
        "--tensorboard/--no-tensorboard",
        "--log-format",
        "--baseline",
        "--update-baseline",
        "--version",
    },
    "validate": {"--spec"},
    "plan": {"--spec", "--output-dir"},
    "schema": {"--of"},
    "report": {"DIRECTORIES", "--output-dir", "--baseline", "--update-baseline"},
    "compare": {"BASELINE", "CANDIDATE", "--format"},
    "trend": {"PLACES", "--output", "--fail-on-change"},
    "predict": {"MODEL_DIR", "--input", "--n-best"},
    "encode": {"MODEL_DIR", "--input", "--output"},
}
"""Other people's scripts depend on these names: one that goes is a new major version."""


def parameters():
    """Return the parameters of every command, by its name."""
    group = typer.main.get_command(cli.app)
    return {"": group.params} | {name: command.params for name, command in group.commands.items()}


def written(parameter):
    if parameter.param_type_name == "argument":
        return parameter.name.upper()
    return "/".join([*parameter.opts, *parameter.secondary_opts])


def test_commands_and_options_are_the_promised_ones():
    assert {command: {*map(written, given)} for command, given in parameters().items()} == OPTIONS


def test_every_option_has_a_variable_of_its_name():
    for given in parameters().values():
        for parameter in given:
            if parameter.param_type_name == "option" and parameter.opts != ["--version"]:
                name = parameter.opts[0].removeprefix("--").replace("-", "_").upper()
                assert parameter.envvar == f"SEQ2SEQ_JOB_{name}"


def test_every_option_says_what_it_is_for():
    assert all(parameter.help for given in parameters().values() for parameter in given)


# --- without a batch ----------------------------------------------------------------------------------------


def test_version(command):
    assert command("--version") == (0, f"{job.__version__}\n", "")


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help_names_every_command_and_option(command, flag):
    code, out, _ = command(flag)
    assert code == 0
    names = {name for name in OPTIONS if name} | {option.partition("/")[0] for option in OPTIONS[""]}
    assert {name for name in names if name not in out} == set()


def test_validate_counts_the_jobs(command, here):
    assert command("validate") == (0, "3 jobs, OK\n", "")
    (here / "one.yaml").write_text(SPEC[: SPEC.index("  - name: sums")])
    assert command("validate", "--spec", "one.yaml") == (0, "1 job, OK\n", "")


def test_validate_names_everything_that_is_wrong_at_once(command, here):
    (here / "bad.yaml").write_text(
        "version: 1\njobs:\n  - name: a\n    problem: {kind: copy, source_length: 0, cardinality: 6}\n"
        "    trainng: {}\n  - name: b\n    problem: {kind: nothing}\n"
    )
    code, out, err = command("validate", "--spec", "bad.yaml")
    assert (code, out) == (2, "")
    lines = err.splitlines()
    assert [re.match(r"error: bad\.yaml:(\d+): ([^:]+): ", line).groups() for line in lines] == [
        ("4", "jobs[0].problem.source_length"),
        ("5", "jobs[0].trainng"),
        ("7", "jobs[1].problem.kind"),
    ]


def test_data_that_a_job_names_is_checked_with_the_spec(command, here):
    problem = "{kind: text_pairs, data: {file: gone.tsv}, source_tokens: words, target_tokens: words}"
    (here / "bad.yaml").write_text(f"version: 1\njobs:\n  - name: a\n    problem: {problem}\n")
    code, _, err = command("validate", "--spec", "bad.yaml")
    assert code == 2
    assert err.startswith("error: ")
    assert "gone.tsv" in err
    assert "Traceback" not in err


def test_the_schema_of_a_report_is_another_one(command):
    code, out, _ = command("schema", "--of", "report")
    assert code == 0
    assert json.loads(out)["$id"] == "urn:seq2seq-job:report:1"
    code, _, err = command("schema", "--of", "job")
    assert code == 2
    assert "expected one of spec, report" in err


def test_schema_is_a_json_schema(command):
    code, out, _ = command("schema")
    schema = json.loads(out)
    assert code == 0
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"version", "jobs"} <= set(schema["properties"])


def test_plan_lists_the_expanded_jobs_and_writes_nothing(command, here):
    code, out, _ = command("plan", "--output-dir", "out")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines() if line.strip()]
    assert names[-3:] == ["tiny", "sums-digits-1", "sums-digits-2"]
    assert out.count("to do") == 3
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


def test_none_of_these_loads_tensorflow(here):
    calls = [
        ["--help"],
        ["--version"],
        ["validate"],
        ["schema"],
        ["plan"],
        ["report", "gone"],
        ["--workers", "0"],
    ]
    code = f"""
import sys
sys.path.insert(0, {str(Path(job.__file__).parents[1])!r})
from job.cli import main
for arguments in {calls}:
    sys.argv = ["seq2seq-job", *arguments]
    try:
        main()
    except SystemExit:
        pass
    loaded = {{"tensorflow", "keras"}} & {{name.split(".")[0] for name in sys.modules}}
    assert not loaded, (arguments, loaded)
print("all done")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("all done\n"), done.stderr


# --- usage errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--nope"], "No such option: --nope"),
        (["nope"], "No such command 'nope'"),
        (["validate", "extra"], "unexpected extra argument"),
        (["report"], "Missing argument"),
        (["predict"], "Missing argument"),
        (["--workers", "0"], "--workers: '0': expected a number from 1 to 1024, or auto"),
        (["--workers", "-1"], "--workers: '-1': expected a number from 1 to 1024, or auto"),
        (["--workers", "many"], "--workers: 'many': expected a number from 1 to 1024, or auto"),
        (["--workers", "1e9"], "--workers: '1e9': expected a number from 1 to 1024, or auto"),
        (["--time-limit", "0"], "--time-limit: 0: expected a number of minutes above 0"),
        (["--time-limit", "nan"], "--time-limit: nan: expected a number of minutes above 0"),
        (["--log-format", "xml"], "--log-format: 'xml': expected one of text, json"),
        (
            ["--only", "none*"],
            "--only: 'none*' matches no job; the spec has tiny, sums-digits-1, sums-digits-2",
        ),
        (["--only", "tiny", "--only", "Tiny"], "--only: 'Tiny' matches no job"),
        (["--spec", "gone.yaml"], "gone.yaml: "),
        (["--spec", "."], "error: .: "),
        (["--output-dir", "jobs.yaml"], "output directory jobs.yaml is a file"),
        (["--output-dir", "jobs.yaml/inside"], "output directory jobs.yaml/inside would lie under a file"),
        (["report", "gone"], "gone holds no batch"),
        (["report", "jobs.yaml"], "jobs.yaml holds no batch"),
        (["predict", "gone"], "gone: not a trained model"),
        (["encode", "gone"], "gone: not a trained model"),
        (["encode", "gone", "--output", "."], ". is a directory; expected the name of a file to write"),
        (["encode", "gone", "--output", "none/x.npz"], "none/x.npz: there is no directory none"),
        (["trend", ".", "--output", ".."], ".. is a directory; expected the name of a file to write"),
        (["trend", ".", "--output", "jobs.yaml/x"], "jobs.yaml/x: there is no directory jobs.yaml"),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_code_2(command, here, arguments, sentence):
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert sum(sentence in line for line in err.splitlines()) == 1
    assert "Traceback" not in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


@pytest.mark.parametrize("address", ["s3://bucket/x", "gs://b", "file:///x", "HTTP://x", "s3:/b", "s3://"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["--spec", "{}"],
        ["--output-dir", "{}"],
        ["--baseline", "{}"],
        ["validate", "--spec", "{}"],
        ["plan", "--spec", "{}"],
        ["plan", "--output-dir", "{}"],
        ["report", "{}"],
        ["report", ".", "{}"],
        ["report", ".", "--output-dir", "{}"],
        ["report", ".", "--baseline", "{}"],
        ["compare", "{}", "."],
        ["compare", ".", "{}"],
        ["trend", ".", "{}"],
        ["trend", ".", "--output", "{}"],
        ["predict", "{}"],
        ["predict", ".", "--input", "{}"],
        ["encode", "{}"],
        ["encode", ".", "--input", "{}"],
        ["encode", ".", "--output", "{}"],
    ],
    ids=" ".join,
)
def test_an_address_is_refused_wherever_a_path_is_expected(command, here, arguments, address):
    code, out, err = command(*[argument.format(address) for argument in arguments])
    assert (code, out) == (2, "")
    assert f"{address!r} is an address, but only files on this machine are read and written" in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


@pytest.mark.parametrize(
    ("variable", "arguments"),
    [
        ("SPEC", []),
        ("SPEC", ["validate"]),
        ("OUTPUT_DIR", []),
        ("OUTPUT_DIR", ["report", "."]),
        ("BASELINE", []),
        ("INPUT", ["predict", "."]),
        ("OUTPUT", ["trend", "."]),
        ("OUTPUT", ["encode", "."]),
    ],
)
def test_an_address_in_a_variable_is_refused(command, here, monkeypatch, variable, arguments):
    monkeypatch.setenv(f"SEQ2SEQ_JOB_{variable}", "s3://bucket")
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert f"Invalid value for '--{variable.lower().replace('_', '-')}'" in err
    assert "'s3://bucket' is an address" in err
    assert [path.name for path in here.iterdir()] == ["jobs.yaml"]


@pytest.mark.parametrize(
    "problem",
    [
        "{kind: text_pairs, data: {file: 's3://b/x.tsv'}, source_tokens: words, target_tokens: words}",
        "{kind: text_pairs, data: {file: [x, 's3://b/x.tsv']}, source_tokens: words, target_tokens: words}",
        "{kind: text_pairs, data: {source_file: x, target_file: 's3://b/x.tsv'}, "
        "source_tokens: words, target_tokens: words}",
        "{kind: time_series, file: 's3://b/x.tsv', column: a, source_length: 2, target_length: 1, "
        "validation: 5, test: 5}",
    ],
)
def test_an_address_in_a_spec_is_refused_at_its_line(command, here, problem):
    (here / "x").write_text("a\tb\n")
    (here / "bad.yaml").write_text(f"version: 1\njobs:\n  - name: a\n    problem: {problem}\n")
    code, _, err = command("validate", "--spec", "bad.yaml")
    assert code == 2
    (line,) = [line for line in err.splitlines() if "is an address" in line]
    assert line.startswith("error: bad.yaml:4: jobs[0].problem.")


@pytest.mark.parametrize("directory", ["./s3:/x", "a:/b", "out/s3:/x"])
def test_a_path_with_a_colon_is_a_path(command, here, directory):
    assert command("plan", "--output-dir", directory)[0] == 0


@pytest.mark.parametrize("option", ["--spec", "--output-dir", "--baseline"])
def test_an_empty_path_is_not_the_working_directory(command, here, option):
    code, _, err = command(option, "")
    assert code == 2
    assert "the name is empty; expected a path" in err


# --- nothing that is given is ignored -----------------------------------------------------------------------


@pytest.mark.parametrize("subcommand", [name for name in OPTIONS if name])
@pytest.mark.parametrize("option", sorted(OPTIONS[""]))
def test_an_option_before_a_subcommand_is_refused(command, here, option, subcommand):
    name = option.partition("/")[0]
    takes_value = "/" not in option and name not in {"--update-baseline", "--version"}
    value = {"--time-limit": "1"}.get(name, "bad.yaml")
    code, out, err = command(name, *([value] if takes_value else []), subcommand, *(["x", "y"]))
    assert (code, out) == (2, "")
    assert f"{name} stands before {subcommand}, where it has no effect; " in err
    after = f"put it after {subcommand}\n" in err
    assert after == (name in {given.partition("/")[0] for given in OPTIONS[subcommand]})


COMMANDS = [
    [],
    ["validate"],
    ["plan"],
    ["schema"],
    ["report", "x"],
    ["compare", "x", "y"],
    ["trend", "x"],
    ["predict", "x"],
    ["encode", "x"],
]


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


def test_a_bad_spec_writes_nothing(command, here):
    (here / "jobs.yaml").write_text("version: 2\njobs: []\n")
    code, _, err = command("--output-dir", "out")
    assert code == 2
    assert all(line.startswith("error: jobs.yaml:") for line in err.splitlines())
    assert not (here / "out").exists()


def test_without_tensorflow_nothing_is_written(command, here, monkeypatch):
    monkeypatch.setattr(environment, "installed", lambda package: None)
    code, _, err = command("--output-dir", "out")
    assert code == 2
    assert err == 'error: tensorflow is not installed; run: pip install --upgrade "tensorflow>=2.20"\n'
    assert not (here / "out").exists()


# --- the error boundary -------------------------------------------------------------------------------------


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


def test_an_error_that_nobody_foresaw_is_a_bug_with_its_traceback(command, monkeypatch):
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


def test_a_training_error_is_worth_a_retry_and_wrong_usage_is_not():
    assert NonFiniteError(1, "loss").exit_code == 1
    assert {error.exit_code for error in (SpecError, OutputError, InputError, DependencyError)} == {2}


# --- what the batch is given --------------------------------------------------------------------------------


@pytest.fixture
def batch(monkeypatch):
    """A batch that does nothing; keeps what it was given, and ends as it is told."""
    from job.cli import run_planned

    given = {"exit_code": 0, "reasons": ()}

    def run_batch(plan, output, directory, log, options):
        given.update(names=[planned.job.name for planned in plan], output=output.root, log=log)
        given.update(vars(options))
        given["directory"] = directory
        now = datetime.now(timezone.utc)
        verdict = Verdict(given["exit_code"], given["reasons"])
        return build_report([], started_at=now, finished_at=now, verdict=verdict, missing=given["names"])

    monkeypatch.setattr(run_planned, "run_batch", run_batch)
    return given


def test_by_default_all_jobs_are_run_with_as_many_workers_as_there_is_room_for(command, batch, monkeypatch):
    limits = resources.Limits(cores=8, cpu_quota=3.5, memory_bytes=1 << 40)
    monkeypatch.setattr(resources, "read_limits", lambda: limits)
    command()
    cores = 3
    assert (batch["gpus"], batch["stop"].request) == ((), None)
    assert batch["names"] == ["tiny", "sums-digits-1", "sums-digits-2"]
    assert batch["output"] == Path("output")
    assert (batch["workers"], batch["fresh"], batch["fail_fast"]) == (cores, False, False)
    assert type(batch["log"]) is Log


def test_each_gpu_has_a_worker(command, batch, monkeypatch):
    limits = resources.Limits(cores=8, cpu_quota=None, memory_bytes=None, gpus=("0", "1"))
    monkeypatch.setattr(resources, "read_limits", lambda: limits)
    command()
    assert (batch["workers"], batch["gpus"]) == (2, ("0", "1"))


def test_a_model_on_all_gpus_has_one_worker_that_sees_them_all(command, batch, here, monkeypatch):
    limits = resources.Limits(cores=8, cpu_quota=None, memory_bytes=None, gpus=("0", "1"))
    monkeypatch.setattr(resources, "read_limits", lambda: limits)
    mirrored = "cardinality: 6}\n    training: {distribution: mirrored}\n"
    (here / "jobs.yaml").write_text(SPEC.replace("cardinality: 6}\n", mirrored))
    command()
    assert (batch["workers"], batch["gpus"], batch["first_worker"]) == (1, ("0,1",), None)
    command("--only", "sums-*")  # none of which asks for it
    assert (batch["workers"], batch["gpus"]) == (2, ("0", "1"))
    assert batch["first_worker"] is not None


def test_the_time_limit_reaches_the_batch(command, batch):
    command("--time-limit", "1e-9")
    assert batch["stop"].request.cause == "the time limit"


def test_a_second_batch_in_one_directory_is_refused(command, batch, here):
    directory = here / "output"
    directory.mkdir()
    with lock_output(directory):
        code, _, err = command()
    assert code == 2
    assert err.startswith("error: output directory output is in use by another batch (process ")
    assert "names" not in batch
    assert {path.name for path in directory.iterdir()} <= {"jobs"}
    command()
    assert not (directory / ".lock").exists()


def test_shards_of_one_directory_do_not_keep_each_other_out(command, batch, here):
    (here / "output").mkdir()
    with lock_output(here / "output", "shard-1-of-3"):
        assert command("--shard", "2/3")[0] == 0
        assert command("--shard", "1/3")[0] == 2
        assert command()[0] == 2


def test_options_reach_the_batch(command, batch, here):
    (here / "specs").mkdir()
    (here / "jobs.yaml").rename(here / "specs" / "s.yaml")
    command(
        "--spec",
        "specs/s.yaml",
        "--output-dir",
        "out",
        "--workers",
        "3",
        "--fresh",
        "--fail-fast",
        "--tensorboard",
    )
    assert batch["output"] == Path("out")
    assert batch["directory"] == Path("specs")
    assert (batch["workers"], batch["fresh"], batch["fail_fast"]) == (3, True, True)
    assert batch["tensorboard"] is True


def test_variables_reach_the_batch_and_options_win(command, batch, here, monkeypatch):
    (here / "jobs.yaml").rename(here / "s.yaml")
    for name, value in {
        "SPEC": "s.yaml",
        "OUTPUT_DIR": "out",
        "WORKERS": "3",
        "FRESH": "1",
        "FAIL_FAST": "true",
        "ONLY": "tiny *-2",
    }.items():
        monkeypatch.setenv(f"SEQ2SEQ_JOB_{name}", value)
    command("--workers", "5", "--no-fail-fast")
    assert batch["output"] == Path("out")
    assert (batch["workers"], batch["fresh"], batch["fail_fast"]) == (5, True, False)
    assert batch["names"] == ["tiny", "sums-digits-2"]


@pytest.mark.parametrize(
    ("only", "names"),
    [
        (["sums-*"], ["sums-digits-1", "sums-digits-2"]),
        (["*-2", "tiny"], ["tiny", "sums-digits-2"]),
        (["t?ny"], ["tiny"]),
        (["sums-digits-[1]"], ["sums-digits-1"]),
        (["*"], ["tiny", "sums-digits-1", "sums-digits-2"]),
    ],
)
def test_only_takes_jobs_by_name_in_the_specs_order(command, batch, only, names):
    command(*[argument for pattern in only for argument in ("--only", pattern)])
    assert batch["names"] == names


def test_the_plan_file_holds_every_job_whatever_only_says(command, batch, here):
    command("--only", "tiny")
    jobs = json.loads((here / "output" / "plan.json").read_text())["jobs"]
    assert [entry["name"] for entry in jobs] == ["tiny", "sums-digits-1", "sums-digits-2"]


@pytest.mark.parametrize("exit_code", [0, 1, 3, 129, 130, 143])
def test_the_batchs_exit_code_is_the_commands(command, batch, exit_code):
    batch["exit_code"] = exit_code
    code, out, _ = command()
    assert code == exit_code
    assert out.endswith(f"reports: {Path('output') / 'report.html'}\n")


def test_results_go_to_standard_output_and_progress_to_standard_error(command, batch, monkeypatch):
    from job.cli import run_planned

    quiet = run_planned.run_batch

    def talking(plan, output, directory, log, options):
        log.started("tiny")
        return quiet(plan, output, directory, log, options)

    monkeypatch.setattr(run_planned, "run_batch", talking)
    _, out, err = command("--log-format", "json")
    assert [json.loads(line)["event"] for line in err.splitlines()] == ["started"]
    assert "started" not in out
    assert "Exit code 0" in out
    _, _, err = command()
    assert err.endswith(" tiny: started\n")


def test_github_actions_are_told_what_went_wrong(command, batch, here, monkeypatch):
    batch |= {"exit_code": 3, "reasons": ("because",)}
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "summary.md"))
    _, out, _ = command()
    assert out.splitlines()[-1].endswith("::because")
    assert (here / "summary.md").read_text().startswith("# Exit code 3")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(here / "nowhere" / "summary.md"))
    code, _, err = command()
    assert code == 3
    assert f"warning: {here / 'nowhere' / 'summary.md'}: No such file or directory; the step has no" in err
