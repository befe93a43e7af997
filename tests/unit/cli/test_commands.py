"""The commands and options are the promised ones, and what those that run no batch print."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from command_options import OPTIONS, SPEC

import job
from job.cli import app as cli


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
    table, _, reasons = out.rpartition("\n\n")
    names = [line.split()[0] for line in table.splitlines() if line.strip()]
    assert names[-3:] == ["tiny", "sums-digits-1", "sums-digits-2"]
    assert reasons == "  train tiny, sums-digits-1, sums-digits-2: it has no result yet\n"
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
