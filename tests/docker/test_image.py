"""The image: what a user's `docker run` does, and what is in it."""

import json
import os
import re
import shlex
import subprocess
import time

from containers import CALLER, HARDENED, LIMITS, ROOT, SOURCE, SPEC, as_caller, wait_until
from processes import steps_taken

import job


def in_image(podman, image, script, *options):
    """What a shell in the image prints."""
    done = podman.run(image, "-c", script, options=["--entrypoint=sh", *options])
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- running it ---------------------------------------------------------------------------------------------


def test_with_nothing_mounted_the_default_spec_is_there(podman, image):
    assert podman.run(image, "validate").stdout == "8 jobs, OK\n"


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


def test_the_documented_commands(podman, image, workspace):
    """As they stand there, with a `docker` that is podman, the caller being root."""
    text = (ROOT / "docs" / "containers.md").read_text("utf-8")
    commands = re.findall("^docker run .*$", text, re.MULTILINE)
    assert len(commands) == 2
    program = workspace / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nshift\nexec {shlex.join([*podman.podman, "run", *LIMITS])} "$@"\n')
    program.chmod(0o755)
    (workspace / "jobs.yaml").write_text(SPEC)
    for command in commands:
        variables = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=workspace,
            env=variables,
            capture_output=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    assert json.loads((workspace / "output" / "report.json").read_text())["totals"]["passed"] == 4


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


# --- interrupted, out of memory, in shards ------------------------------------------------------------------

LONG = """\
version: 1
jobs:
  - name: long
    problem: {kind: reverse, source_length: 5, cardinality: 8}
    model: {units: 16}
    training: {examples: 640000, batch_size: 32}
    evaluation: {examples: 100, validation_examples: 50}
"""


def test_stopped_in_mid_training_it_saves_and_the_next_run_goes_on(podman, image, workspace):
    (workspace / "jobs.yaml").write_text(LONG)
    job_directory = workspace / "output" / "jobs" / "long"
    podman.call("run", "--detach", "--name=stopped", *LIMITS, *as_caller(workspace), image)
    wait_until(lambda: steps_taken(job_directory), 120)
    began = time.monotonic()
    podman.call("stop", "--time=30", "stopped")
    assert time.monotonic() - began < 15
    assert podman.inspect("stopped", kind="container")["State"]["ExitCode"] == 143
    assert json.loads((job_directory / "result.json").read_text())["status"] == "interrupted"
    (workspace / "jobs.yaml").write_text(LONG)
    done = podman.run(image, "--time-limit", "2", options=as_caller(workspace), timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((job_directory / "result.json").read_text())["data"]["resumed_from_step"] > 0


def test_a_job_that_needs_more_memory_than_there_is_fails_by_name(podman, image, workspace):
    greedy = SPEC.replace("cardinality: [5, 6, 7, 8]", "cardinality: [5]")
    greedy += """\
  - name: greedy
    problem: {kind: copy, source_length: 200, cardinality: 20000}
    training: {batch_size: 4096}
    retries: 0
"""
    (workspace / "jobs.yaml").write_text(greedy)
    memory = ["--memory=1g", "--memory-swap=1g"]
    done = podman.run(image, "--workers=1", options=[*as_caller(workspace), *memory], timeout=200)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "greedy failed: " in done.stdout
    assert "SIGKILL (out of memory?)" in done.stdout.replace("\n", " ")
    report = json.loads((workspace / "output" / "report.json").read_text())
    statuses = {entry["name"]: entry["status"] for entry in report["jobs"]}
    assert statuses == {"short-cardinality-5": "passed", "greedy": "failed"}


def test_two_containers_share_a_volume_and_a_third_merges(podman, image, workspace):
    (workspace / "jobs.yaml").write_text(SPEC)
    podman.call("volume", "create", "results")
    # a new volume takes over the rights of the directory that it is mounted on
    mounts = ["--volume=results:/workspace", f"--volume={workspace}/jobs.yaml:/workspace/jobs.yaml:ro"]
    names = ["first", "second"]
    for index, name in enumerate(names, 1):
        arguments = [image, f"--shard={index}/2", "--workers=1"]
        podman.call("run", "--detach", f"--name={name}", *LIMITS, *mounts, *HARDENED, *arguments)
    codes = [podman.call("wait", name, timeout=200).stdout.strip() for name in names]
    assert codes == ["0", "0"], [podman.call("logs", name).stderr for name in names]
    done = podman.run(image, "report", "output", options=[*mounts, *HARDENED])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 jobs: 4 trained" in done.stdout
    left = in_image(podman, image, "cd output; ls *.json", *mounts).split()
    shards = ["report-1-of-2.json", "report-2-of-2.json"]
    assert left == ["plan.json", *shards, "report.json", "shards.json"]


def test_a_job_that_asks_for_a_gpu_says_which_image_has_what_it_needs(podman, image, workspace):
    (workspace / "jobs.yaml").write_text(LONG + "    device: gpu\n")
    done = podman.run(image, options=as_caller(workspace))
    assert done.returncode == 1
    said = " ".join(done.stdout.split())
    assert "long failed: DeviceError: device is gpu, but this TensorFlow was built without CUDA" in said
