"""deploy/ci and docker/compose.yaml against their published schemas, and against this package's options."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
import yaml

from job import errors
from job.cli import app as cli

ROOT = Path(__file__).parents[2]
GITHUB = ROOT / "deploy" / "ci" / "github-actions.yaml"
GITLAB = ROOT / "deploy" / "ci" / "gitlab-ci.yaml"
COMPOSE = ROOT / "docker" / "compose.yaml"
SCHEMAS = {
    GITHUB: ["vendor.github-workflows"],
    GITLAB: ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
    COMPOSE: ["vendor.compose-spec"],
}


def check(schema, path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", *schema, str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def steps():
    (job,) = yaml.safe_load(GITHUB.read_text())["jobs"].values()
    return {step.get("name"): step for step in job["steps"]}


def scripts(path):
    """Every shell command of a workflow, continued lines joined."""
    content = yaml.safe_load(path.read_text())
    if path == GITHUB:
        texts = [step["run"] for step in steps().values() if "run" in step]
    elif path == GITLAB:
        texts = [line for job in content.values() if "script" in job for line in job["script"]]
    else:
        texts = [
            shlex.join(["seq2seq-job", *service["command"]])
            for service in content["services"].values()
            if "command" in service
        ]
    return [line for text in texts for line in text.replace("\\\n", " ").splitlines()]


def options_of(words):
    """The options among what is given to this package's command."""
    return {word.partition("=")[0] for word in words if word.startswith("--")}


def known_options():
    group = typer.main.get_command(cli.app)
    commands = {"": group, **group.commands}
    return {name: {o for p in command.params for o in p.opts} for name, command in commands.items()}


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_it_is_what_its_published_schema_says(path):
    done = check(SCHEMAS[path], path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "right", "wrong"),
    [
        (GITHUB, "runs-on:", "run-on:"),
        (GITLAB, "parallel: 4", "parallel: four"),
        (COMPOSE, "read_only: true", "read_only: [yes]"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_its_schema_finds_a_mistake(tmp_path, path, right, wrong):
    text = path.read_text()
    assert right in text
    (tmp_path / path.name).write_text(text.replace(right, wrong))
    assert check(SCHEMAS[path], tmp_path / path.name).returncode == 1


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.name)
def test_every_option_that_it_gives_is_one(path):
    given = []
    for line in scripts(path):
        words = shlex.split(line, comments=True)
        for program in {"seq2seq-job", "$IMAGE"} & set(words):
            arguments = words[words.index(program) + 1 :]
            command = arguments[0] if arguments[0] in known_options() else ""
            given.append((command, options_of(arguments)))
    assert given
    for command, options in given:
        assert options
        assert options <= known_options()[command]


def test_every_variable_that_gitlab_gives_is_read():
    known = {
        variable
        for command in [typer.main.get_command(cli.app), *typer.main.get_command(cli.app).commands.values()]
        for parameter in command.params
        if isinstance(parameter.envvar, str)
        for variable in [parameter.envvar]
    }
    assert set(yaml.safe_load(GITLAB.read_text())["variables"]) <= known


def test_gitlab_tries_again_what_may_pass_and_nothing_else():
    retried = yaml.safe_load(GITLAB.read_text())["train"]["retry"]["exit_codes"]
    assert retried == [errors.FAILED, errors.SIGTERM_EXIT]


def test_github_runs_nightly_and_stops_before_it_is_cut_off():
    content = yaml.safe_load(GITHUB.read_text())
    ((schedule,),) = ([entry["cron"] for entry in content[True]["schedule"]],)  # YAML 1.1 reads `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule)
    (minutes,) = re.findall(r"--time-limit (\d+)", steps()["Train, evaluate and gate"]["run"])
    assert int(minutes) < content["jobs"]["train"]["timeout-minutes"] - 5


def test_both_keep_reports_whatever_the_batch_came_to():
    kept = {name: step.get("if") for name, step in steps().items() if (name or "").startswith("Keep")}
    assert kept.pop("Keep this good night for the next one") is None
    assert list(kept.values()) == ["${{ always() }}"] * 2
    content = yaml.safe_load(GITLAB.read_text())
    assert content["report"]["when"] == "always"
    assert {content[job]["artifacts"]["when"] for job in ("train", "report")} == {"always"}
    assert content["report"]["artifacts"]["reports"]["junit"] == "output/junit.xml"


def test_composes_jobs_are_held_as_tightly_as_a_clusters():
    services = yaml.safe_load(COMPOSE.read_text())["services"]
    assert set(services) == {"cpu", "gpu", "tensorboard"}
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    devices = services["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices == [{"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}]
    assert services["gpu"]["build"]["args"] == {"GPU": "1"}


@pytest.mark.parametrize("earlier", [False, True], ids=["first", "later"])
@pytest.mark.parametrize("code", [0, 3])
def test_githubs_night_is_held_against_the_last_and_is_the_next_ones_baseline(tmp_path, earlier, code):
    """Its script as it stands, with a `docker` that writes down what it was given."""
    if earlier:
        (tmp_path / "baseline").mkdir()
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > given\nmkdir output\nexit {code}\n')
    program.chmod(0o755)
    variables = {"PATH": f"{program.parent}:/usr/bin:/bin", "IMAGE": "image", "GITHUB_SHA": "f" * 40}
    variables["GITHUB_STEP_SUMMARY"] = str(tmp_path / "summary")
    script = steps()["Train, evaluate and gate"]["run"]
    done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=variables, timeout=60, check=False)
    assert done.returncode == code
    given = (tmp_path / "given").read_text().splitlines()
    assert f"{tmp_path}:/workspace" in given
    expected = ["--spec", "jobs.yaml", "--time-limit", "100"]
    expected += ["--baseline", "baseline", "--update-baseline"] if earlier else []
    assert given[given.index("image") + 1 :] == expected
    assert (tmp_path / "baseline").is_dir() == (earlier or code == 0)
