"""deploy/ci/github-release.yaml: its schema, its pinned actions, and its scripts with a stand-in docker."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import job

ROOT = Path(__file__).parents[2]
RELEASE = ROOT / "deploy" / "ci" / "github-release.yaml"
CONTENT = yaml.safe_load(RELEASE.read_text("utf-8"))
DIGEST, BASE = "sha256:" + "ab" * 32, "sha256:" + "cd" * 32
DOCKER = f"""\
#!/bin/bash
# Stands in for docker: keeps its arguments, answers as buildx does.
printf '%s\\n' "$*" >>calls
case "$*" in
  *imagetools*Manifest.Digest*) echo {BASE} ;;
  *imagetools*SBOM*) echo "$SBOM" ;;
  *imagetools*Provenance*) echo '{{"SLSA": {{}}}}' ;;
  *--metadata-file*) echo '{{"containerimage.digest": "{DIGEST}"}}' >metadata.json ;;
esac
"""

needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def script(name):
    """Return the shell script of a step."""
    (found,) = [
        step["run"] for each in CONTENT["jobs"].values() for step in each["steps"] if step.get("name") == name
    ]
    return found


def run(text, cwd, **variables):
    known = {
        "PATH": f"{cwd}/bin{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(cwd / "summary"),
    }
    given = {**CONTENT["env"], **known, **variables}
    # as GitHub runs the script of a step
    command = ["bash", "-e", "-o", "pipefail", "-c", text]
    return subprocess.run(
        command, cwd=cwd, env=given, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def here(tmp_path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(DOCKER)
    (tmp_path / "bin" / "docker").chmod(0o755)
    return tmp_path


def test_it_is_what_its_published_schema_says():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, RELEASE], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_action_is_pinned_by_a_commit():
    used = re.findall(r"uses: (\S+)", RELEASE.read_text("utf-8"))
    assert used
    assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in used)
    nightly = (ROOT / "deploy" / "ci" / "github-actions.yaml").read_text("utf-8")
    assert all(action in nightly for action in used)  # one version of each


def test_only_the_images_job_may_write_packages():
    assert CONTENT["permissions"] == {"contents": "read"}
    assert {name for name, each in CONTENT["jobs"].items() if "permissions" in each} == {"image"}


@pytest.mark.parametrize(("tag", "code"), [(f"v{job.__version__}", 0), ("v9.9.9", 1), (job.__version__, 1)])
def test_a_tag_is_that_of_the_version(tag, code):
    done = run(script("Compare the tag with the version of the package"), ROOT, GITHUB_REF_NAME=tag)
    assert done.returncode == code
    assert ("::error::" in done.stdout) == bool(code)


def build(here, **variables):
    given = {
        "GITHUB_REF_NAME": "v0.2.0",
        "GITHUB_REPOSITORY": "Some/Models",
        "GITHUB_SHA": "c0ffee",
        "GITHUB_SERVER_URL": "https://example.org",
        "GPU": "1",
        "SUFFIX": "-gpu",
        **variables,
    }
    return run(script("Build and push the image"), here, **given)


@needs_jq
def test_an_image_is_pushed_with_attestations_and_its_digest_is_kept(here):
    done = build(here)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in (here / "calls").read_text().splitlines() if " build " in line]
    assert "--sbom=true --provenance=mode=max --push" in line
    assert f"BASE_IMAGE={CONTENT['env']['BASE_IMAGE']}@{BASE}" in line
    assert "--tag ghcr.io/some/models:0.2.0-gpu" in line
    assert (here / "image.txt").read_text() == f"ghcr.io/some/models@{DIGEST}\n"
    assert DIGEST in (here / "summary").read_text()
    arguments = set(re.findall(r"--build-arg (\w+)=", line))
    assert arguments <= set(re.findall(r"^ARG (\w+)", (ROOT / "docker" / "Dockerfile").read_text(), re.M))


@needs_jq
@pytest.mark.parametrize(("sbom", "code"), [({"SPDX": {}}, 0), ({}, 1), (None, 1)])
def test_an_image_without_an_sbom_is_no_release(here, sbom, code):
    assert build(here).returncode == 0
    done = run(script("Read the attestations back"), here, SBOM=json.dumps(sbom))
    assert (done.returncode != 0) == bool(code)
