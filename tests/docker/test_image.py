"""The image: what a user's `docker run` does, and what is in it."""

import json
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import pytest
from containers import SOURCE

import job

SPEC = """\
version: 1
seed: 3
defaults:
  model: {units: 16}
  training: {examples: 6400, batch_size: 32, optimizer: {learning_rate: 0.02}}
  evaluation: {examples: 200, validation_examples: 50}
jobs:
  - name: short
    matrix: {problem.cardinality: [5, 6, 7, 8]}
    problem: {kind: copy, source_length: 2}
"""
CALLER = 4321, 8765
"""A user and a group that nothing in the image knows."""

HARDENED = ["--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=ALL"]
HARDENED += ["--security-opt=no-new-privileges"]


@pytest.fixture
def workspace():
    """A directory of the caller's, to be mounted; not below pytest's, which only root may enter."""
    directory = Path(tempfile.mkdtemp(prefix="workspace-"))
    os.chown(directory, *CALLER)
    yield directory
    shutil.rmtree(directory)


def as_caller(workspace):
    """The options of `docker run` that the README gives, in the strictest form."""
    user = f"--user={CALLER[0]}:{CALLER[1]}"
    return [user, f"--volume={workspace}:/workspace", *HARDENED]


def in_image(podman, image, script, *options):
    """What a shell in the image prints."""
    done = podman.run(image, "-c", script, options=["--entrypoint=sh", *options])
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- running it ---------------------------------------------------------------------------------------------


def test_with_nothing_mounted_the_default_spec_is_there_to_be_run(podman, image):
    assert podman.run(image, "validate").stdout == "7 jobs, OK\n"
    done = podman.run(image, "--only", "tutorial")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 job: 1 passed; 1 trained now" in done.stdout


def test_a_mounted_spec_is_read_and_its_files_are_the_callers(podman, image, workspace):
    (workspace / "jobs.yaml").write_text(SPEC)
    done = podman.run(image, "--spec", "jobs.yaml", options=as_caller(workspace))
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((workspace / "output" / "report.json").read_text())
    assert report["totals"]["passed"] == 4
    left = [path.stat() for path in (workspace / "output").rglob("*")]
    assert len(left) > 40
    assert {(status.st_uid, status.st_gid) for status in left} == {CALLER}
    # nothing is written beside it: no cache, no settings of a library
    assert sorted(path.name for path in workspace.iterdir()) == ["jobs.yaml", "output"]


def test_where_it_may_not_write_it_says_so(podman, image, workspace):
    (workspace / "jobs.yaml").write_text(SPEC)
    done = podman.run(image, options=[f"--volume={workspace}:/workspace"])
    assert done.returncode == 2
    assert done.stderr == (
        "error: output directory output is not writable: change its owner, or choose another directory with "
        "--output-dir\n"
    )


def test_a_bad_spec_is_exit_code_2(podman, image, workspace):
    (workspace / "jobs.yaml").write_text(SPEC.replace("units", "unit"))
    done = podman.run(image, "--spec", "jobs.yaml", options=as_caller(workspace))
    assert done.returncode == 2
    assert "jobs.yaml:4: defaults.model.unit: " in done.stderr
    assert "Traceback" not in done.stderr


def test_help_is_there_at_once(podman, image):
    """The best of five: the machine may be busy. Starting the container is counted."""
    seconds = []
    for _ in range(5):
        began = time.monotonic()
        assert "Usage: seq2seq-job" in podman.run(image, "--help").stdout
        seconds.append(time.monotonic() - began)
    assert min(seconds) < 1.5


# --- what is in it ------------------------------------------------------------------------------------------


def test_its_settings(podman, image):
    settings = podman.inspect(image)["Config"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", settings["User"])
    assert settings["Entrypoint"] == ["seq2seq-job"]
    assert not settings.get("Cmd")
    assert settings["WorkingDir"] == "/workspace"
    assert settings["StopSignal"] == "SIGTERM"
    variables = dict(entry.split("=", 1) for entry in settings["Env"])
    assert variables["HOME"] == "/tmp"
    assert not variables["NVIDIA_VISIBLE_DEVICES"]


def test_its_labels(podman, image):
    prefix = "org.opencontainers.image."
    labels = {
        key.removeprefix(prefix): value
        for key, value in podman.inspect(image)["Labels"].items()
        if key.startswith(prefix)
    }
    assert labels["version"] == job.__version__
    assert labels["licenses"] == "MIT"
    assert re.fullmatch("[0-9a-f]{40}", labels["revision"])
    assert labels["source"] == SOURCE


def test_there_is_nothing_to_build_or_install_with(podman, image):
    tools = "cc gcc g++ clang ld make git uv pip curl wget"
    names = f"for name in {tools} seq2seq-job; do command -v $name; done; ls -d /build /tools"
    assert in_image(podman, image, f"({names}) 2>/dev/null || true") == "/opt/seq2seq-job/bin/seq2seq-job\n"


def test_all_of_it_is_compiled_and_nobody_may_change_it(podman, image):
    """Of the modules that are not there as bytecode, none can be compiled: templates, Python 2."""
    script = """
import compileall, pathlib, sys
from importlib.util import cache_from_source
site = pathlib.Path(sys.prefix) / "lib"
missing = [p for p in site.rglob("*.py") if not pathlib.Path(cache_from_source(str(p))).exists()]
print([str(p) for p in missing if compileall.compile_file(p, quiet=2, ddir="/", legacy=False)])
print([str(p) for p in pathlib.Path(sys.prefix).rglob("*") if not p.is_symlink() and p.stat().st_mode & 0o22])
"""
    done = podman.run(image, "-c", script, options=["--entrypoint=python"])
    assert done.stdout == "[]\n[]\n", done.stderr
