"""Every command of docs/clusters.md: run here, but for those of Slurm, which tests/slurm runs."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from required_tools import require_kubectl

import job

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "clusters.md").read_text("utf-8")

SPEC = """\
version: 1
defaults:
  model: {units: 8}
  training: {examples: 640, batch_size: 32}
  evaluation: {examples: 50, validation_examples: 20}
jobs:
  - name: copy
    matrix: {problem.source_length: [1, 2]}
    problem: {kind: copy, cardinality: 5}
"""

KUBECTL = """\
#!/bin/bash
# Stands in for a cluster whose Job fails: says what it was asked to.
echo "$*" >>"$CALLS"
if [[ $1 == get ]]; then echo "FailureTarget Failed"; fi
"""


def commands(heading):
    """Return the command lines of a section."""
    section = re.split(r"^## ", DOCUMENT.partition(f"## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return "".join(blocks).splitlines()


def program(path, text):
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture
def shell(tmp_path):
    """Run a command line in a directory with a small jobs.yaml, the command on the PATH."""
    (tmp_path / "jobs.yaml").write_text(SPEC)
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    program(tmp_path / "bin" / "seq2seq-job", f'#!/bin/sh\nexec "{sys.executable}" -m job "$@"\n')
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables["SEQ2SEQ_JOB_WORKERS"] = "1"  # each imports TensorFlow
    variables["PATH"] = f"{tmp_path / 'bin'}{os.pathsep}{variables['PATH']}"
    variables["PYTHONPATH"] = str(Path(job.__file__).parents[1])

    def run(line, **more):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", line],
            cwd=tmp_path,
            env={**variables, **more},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


def test_every_section_with_commands_is_known_here():
    sections = re.findall(r"^## (.*)$", DOCUMENT, re.MULTILINE)
    with_commands = {section for section in sections if commands(section)}
    assert with_commands == {
        "Shards",
        "A queue",
        "Several machines for one model",  # its command is that of test_cluster.py
        "The merge",
        "Kubernetes",
        "Slurm",
        "Watching a batch",
    }


def test_shards_by_hand(shell, tmp_path):
    for line in commands("Shards"):
        shell(line)
    report = json.loads((tmp_path / "output" / "report.json").read_text())
    assert report["totals"]["passed"] == 2
    assert [entry["name"] for entry in report["jobs"]] == ["copy-source_length-1", "copy-source_length-2"]
    (line,) = commands("The merge")
    shell(line)
    assert json.loads((tmp_path / "output" / "report.json").read_text()) == report
    watch, cancel = commands("Watching a batch")
    assert "batch: 2 of 2 jobs ended" in shell(watch)
    assert cancel == "seq2seq-job cancel output g2p"  # there is no such job here; test_cancel stops one


def test_a_queue_of_one_node(shell, tmp_path):
    (line,) = commands("A queue")
    shell(line.replace("/shared/output", "queued"))
    assert json.loads((tmp_path / "queued" / "report.json").read_text())["totals"]["passed"] == 2


def test_kubectl_renders_the_manifests_and_an_overlay_as_documented(shell, tmp_path):
    require_kubectl()
    assert "nvidia.com/gpu" in shell(commands("Kubernetes")[0])
    overlay = tmp_path / "kubernetes" / "overlay"
    shutil.copytree(ROOT / "deploy" / "kubernetes", overlay.parent)
    overlay.mkdir()
    (overlay / "jobs.yaml").write_text(SPEC)
    text = re.search(r"^```yaml\n(apiVersion: kustomize.*?)^```$", DOCUMENT, re.MULTILINE | re.DOTALL)[1]
    (overlay / "kustomization.yaml").write_text(text)
    resources = {
        each["kind"]: each for each in yaml.safe_load_all(shell("kubectl kustomize kubernetes/overlay"))
    }
    pod = resources["Job"]["spec"]["template"]["spec"]
    assert resources["Job"]["spec"]["completions"] == resources["Job"]["spec"]["parallelism"] == 8
    assert pod["containers"][0]["env"][0] == {"name": "JOB_COMPLETIONS", "value": "8"}
    assert pod["containers"][0]["image"] == "registry.example.com/seq2seq-job:1.0.0"
    assert resources["ConfigMap"]["data"]["jobs.yaml"] == SPEC


def test_the_commands_for_a_cluster_name_what_the_manifests_do(shell, tmp_path):
    program(tmp_path / "bin" / "kubectl", KUBECTL)
    shell("\n".join(commands("Kubernetes")[1:]), CALLS=str(tmp_path / "calls"))
    first, waited, second, last = (tmp_path / "calls").read_text().splitlines()
    names = []
    for line in (first, second):
        folder = re.fullmatch(r"apply -k (\S+)", line)[1]
        for file in yaml.safe_load((ROOT / folder / "kustomization.yaml").read_text())["resources"]:
            resource = yaml.safe_load((ROOT / folder / file).read_text())
            names += [resource["metadata"]["name"]] if resource["kind"] == "Job" else []
    assert names == [waited.split()[2], last.rpartition("/")[2]]


def test_the_commands_of_slurm_are_for_the_scripts_that_there_are():
    """tests/slurm reads them from the document, too."""
    for line in commands("Slurm"):
        for script in re.findall(r"deploy/slurm/\S+", line):
            assert (ROOT / script).is_file()
