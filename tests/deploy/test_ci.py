"""deploy/ci and docker/compose.yaml against their published schemas, and against this package's options."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
import yaml
from recording import a_run, leave, right_and_wrong

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


def steps(job):
    """The steps of one of GitHub's jobs, by name."""
    return {step.get("name"): step for step in yaml.safe_load(GITHUB.read_text())["jobs"][job]["steps"]}


def all_steps():
    return {**steps("train"), **steps("report")}


def scripts(path):
    """Every shell command of a workflow, continued lines joined."""
    content = yaml.safe_load(path.read_text())
    if path == GITHUB:
        texts = [step["run"] for step in all_steps().values() if "run" in step]
    elif path == GITLAB:
        keys = ("script", "after_script")
        texts = [line for job in content.values() for key in keys if key in job for line in job[key]]
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
    given = set(yaml.safe_load(GITLAB.read_text())["variables"])
    assert given - {"MOVE_BASELINE"} <= known
    assert "$MOVE_BASELINE" in GITLAB.read_text()


def test_gitlab_tries_again_what_may_pass_and_nothing_else():
    retry = yaml.safe_load(GITLAB.read_text())["train"]["retry"]
    assert retry["exit_codes"] == [errors.FAILED, 128 + signal.SIGKILL, errors.SIGTERM_EXIT]
    assert not {"always", "script_failure"} & {*retry["when"]}  # of both lists, one that fits is enough


def test_github_runs_nightly_and_stops_before_it_is_cut_off():
    content = yaml.safe_load(GITHUB.read_text())
    ((schedule,),) = ([entry["cron"] for entry in content[True]["schedule"]],)  # YAML 1.1 reads `on` as true
    assert re.fullmatch(r"\d+ \d+ \* \* \*", schedule)
    (minutes,) = re.findall(r"--time-limit (\d+)", steps("train")["Train and evaluate"]["run"])
    assert int(minutes) < content["jobs"]["train"]["timeout-minutes"] - 5


def test_both_keep_reports_whatever_the_batch_came_to():
    kept = {name: step.get("if", "") for name, step in all_steps().items() if (name or "").startswith("Keep")}
    assert kept.pop("Keep the new baseline") == "${{ steps.verdict.outputs.moved == 'true' }}"
    assert len(kept) == 4
    assert all("always()" in condition for condition in kept.values())
    content = yaml.safe_load(GITLAB.read_text())
    assert content["report"]["when"] == "always"
    assert {content[job]["artifacts"]["when"] for job in ("train", "report")} == {"always"}
    assert content["train"]["cache"]["when"] == "always"
    assert content["report"]["artifacts"]["reports"]["junit"] == "output/junit.xml"


def test_githubs_actions_are_pinned_by_their_commits():
    used = [step["uses"] for step in all_steps().values() if "uses" in step]
    assert len(used) > 5
    assert all(re.fullmatch(r"actions/[a-z/-]+@[0-9a-f]{40}", name) for name in used)
    versions = re.findall(r"uses: \S+@\S+ (# v\d+\.\d+\.\d+)$", GITHUB.read_text(), re.MULTILINE)
    assert len(versions) == GITHUB.read_text().count("uses: ")


def test_githubs_shards_are_all_of_them_and_resume():
    train = yaml.safe_load(GITHUB.read_text())["jobs"]["train"]
    assert train["strategy"]["matrix"]["shard"] == [*range(1, 5)]
    assert steps("train")["Train and evaluate"]["env"]["SHARD"].endswith("/${{ strategy.job-total }}")
    fetched = steps("train")["Fetch what an earlier attempt of this shard has done"]["with"]
    kept = steps("train")["Keep what is done for another attempt"]["with"]
    assert fetched["path"] == kept["path"] == "output"
    assert kept["key"].startswith(fetched["restore-keys"])


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


# --- a night's scripts, as they stand ----------------------------------------------------------------------

DOCKER = """\
#!/bin/sh
while [ "$1" != image ]; do shift; done
shift
exec seq2seq-job "$@"
"""


@dataclass
class Night:
    """A CI job's directory with the command on its PATH; `docker` runs the command without a container."""

    root: Path

    def script(self, text, **variables):
        known = {
            "PATH": f"{self.root / 'bin'}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.root),
        }
        done = subprocess.run(
            ["bash", "-e", "-c", text],
            cwd=self.root,
            env={**known, **variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def github(self, step, *, move="false", branch="true"):
        return self.script(
            steps("report")[step]["run"],
            IMAGE="image",
            GITHUB_RUN_ID="77",
            GITHUB_OUTPUT=str(self.root / "outputs"),
            GITHUB_STEP_SUMMARY=str(self.root / "summary"),
            MOVE_BASELINE=move,
            ON_DEFAULT_BRANCH=branch,
        )

    def gitlab(self, key, *, move="false", branch="main"):
        (text,) = yaml.safe_load(GITLAB.read_text())["report"][key]
        given = {"CI_COMMIT_BRANCH": branch, "CI_DEFAULT_BRANCH": "main", "CI_PIPELINE_ID": "77"}
        return self.script(text, MOVE_BASELINE=move, **given)

    def trained(self, wrong):
        """Leave what the shards trained: two jobs, one of which gets some examples wrong."""
        for place in ("output", "shards", "shard-1", "shard-2"):
            shutil.rmtree(self.root / place, ignore_errors=True)
        for number, name in enumerate("ab", 1):
            run = a_run(name, right_and_wrong(100, wrong if name == "a" else []))
            leave(self.root / f"shard-{number}", [run], plan=["a", "b"])
            shutil.copytree(self.root / f"shard-{number}", self.root / "shards" / f"shard-{number}")

    def baseline_accuracy(self):
        report = json.loads((self.root / "baseline" / "report.json").read_text())
        return report["jobs"][0]["metrics"]["sequence_accuracy"]


@pytest.fixture
def night(tmp_path):
    programs = {"docker": DOCKER, "seq2seq-job": f'#!/bin/sh\nexec "{sys.executable}" -m job "$@"\n'}
    (tmp_path / "bin").mkdir()
    for name, text in programs.items():
        (tmp_path / "bin" / name).write_text(text)
        (tmp_path / "bin" / name).chmod(0o755)
    return Night(tmp_path)


def verdict(night, system, **given):
    """Run the script that compares and gates, in a workspace without an earlier output."""
    shutil.rmtree(night.root / "output", ignore_errors=True)
    if system == "github":
        return night.github("Compare and gate", **{**given, "branch": str(given.get("branch", True)).lower()})
    return night.gitlab("script", **{**given, "branch": "main" if given.get("branch", True) else "topic"})


@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_first_good_night_is_the_baseline_until_it_is_moved_on_purpose(night, system):
    night.trained(wrong=[3])
    code, said = verdict(night, system)
    assert (code, night.baseline_accuracy()) == (0, 0.99), said
    assert "compared with no baseline" in said
    assert {path.name for path in (night.root / "baseline" / "jobs" / "a").iterdir()} == {
        "result.json",
        "predictions.jsonl",
    }
    night.trained(wrong=range(30))
    for move, branch in (("false", True), ("true", False)):
        code, said = verdict(night, system, move=move, branch=branch)
        assert (code, night.baseline_accuracy()) == (3, 0.99), said
        assert "a: sequence accuracy 99.0 -> 70.0 % (-29.0), significant" in said
    code, said = verdict(night, system, move="true")
    assert (code, night.baseline_accuracy()) == (0, 0.7), said
    code, said = verdict(night, system)
    assert (code, night.baseline_accuracy()) == (0, 0.7), said


def test_github_keeps_a_baseline_only_when_it_has_moved(night):
    night.trained(wrong=[3])
    assert verdict(night, "github", branch=False)[0] == 0
    assert not (night.root / "outputs").exists()
    assert not (night.root / "baseline").exists()
    assert verdict(night, "github")[0] == 0
    assert (night.root / "outputs").read_text() == "moved=true\n"


@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_trend_has_this_night_and_at_most_59_before_it(night, system):
    night.trained(wrong=[3])
    assert verdict(night, system)[0] == 0
    for number in range(65):
        place = night.root / "history" / f"2020-01-{number:03}"
        place.mkdir(parents=True)
        shutil.copy(night.root / "output" / "report.json", place)
    if system == "github":
        code, said = night.github("Trend of the last 60 nights")
    else:
        code, said = night.gitlab("after_script")
    assert code == 0, said
    nights = sorted(path.name for path in (night.root / "history").iterdir())
    assert (len(nights), nights[0]) == (60, "2020-01-006")
    assert nights[-1].endswith("-77")
    assert (night.root / "trend.html").is_file()
