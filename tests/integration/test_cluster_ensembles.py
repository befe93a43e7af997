"""`--cluster`: ensembles of seeds that all processes decode together."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from cluster_runs import ended, logs, started, variables, wait_for

pytestmark = pytest.mark.exhaustive

SPEC = """\
version: 1
defaults:
  training: {examples: 640, epochs: 1, batch_size: 32}
  model: {units: 12}
jobs:
  - name: copy
    seeds: [1, 2]
    problem: {kind: copy, source_length: 20, cardinality: 9}
    evaluation: {examples: 5000, validation_examples: 50, decoder: beam, beam_width: 8}
"""

ENSEMBLE = SPEC.replace("examples: 5000", "ensemble: true, examples: 5000")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A directory with trained seeds, in `trained`, and with their ensemble by one process, in `alone`."""
    directory = tmp_path_factory.mktemp("ensemble")
    (directory / "jobs.yaml").write_text(SPEC)
    run(directory, "trained")
    (directory / "jobs.yaml").write_text(ENSEMBLE)
    shutil.copytree(directory / "trained", directory / "alone")
    run(directory, "alone")
    return directory


def run(directory, output):
    done = subprocess.run(
        [sys.executable, "-m", "job", "--output-dir", output],
        cwd=directory, env=variables(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def check_as_alone(directory, output):
    """Compare the ensemble with that of one process, to the bit."""
    for file in ("predictions.jsonl", "ensemble.json"):
        places = [directory / each / "ensembles" / "copy" / file for each in ("alone", output)]
        assert places[0].read_bytes() == places[1].read_bytes()
    found, expected = (
        json.loads((directory / each / "report.json").read_text())["ensembles"][0]
        for each in (output, "alone")
    )
    assert (found["status"], found["reused"], found["examples"]) == ("computed", False, 5000)
    assert found["metrics"] == expected["metrics"]
    assert not [*(directory / output / "ensembles").glob(".*")], "nothing is left behind"


def numbers(directory, output, pattern):
    """The numbers of files of the parts."""
    found = {}
    with suppress(FileNotFoundError):  # they are removed at the end
        for path in (directory / output / "ensembles").glob(f".parts-copy/*/*/{pattern}"):
            found[str(path)] = path.stat().st_ino
    return found


def parts(directory, output):
    return numbers(directory, output, "[0-9]*.npz")


def locked(directory, output):
    """Which processes decode a part: by the locks of /proc/locks."""
    files = numbers(directory, output, "*.lock").values()
    held = map(str.split, Path("/proc/locks").read_text("ascii").splitlines())
    return {int(fields[4]) for fields in held if int(fields[5].rpartition(":")[2]) in files}


def children(process):
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return set(map(int, listed.stdout.split()))


def test_all_processes_decode_an_ensemble_as_one_does(directory):
    shutil.copytree(directory / "trained", directory / "two")
    seen = set()
    with started(directory, "two") as processes:
        while any(process.poll() is None for process in processes):
            seen |= locked(directory, "two")
            time.sleep(0.02)
        assert ended(processes) == [0, 0], logs(directory, "two")
    assert len(seen) == 2, "both decode parts"
    check_as_alone(directory, "two")
    assert "ensemble of 2 models" in (directory / "two" / "report.md").read_text()
    for i in (0, 1):
        assert "Exit code 0" in (directory / f"two-{i}.log").read_text()


def test_a_worker_is_killed_and_its_parts_are_decoded_all_the_same(directory):
    output = "killed"
    shutil.copytree(directory / "trained", directory / output)
    with started(directory, output) as processes:
        wait_for(lambda: locked(directory, output) & children(processes[1]), 400)
        for pid in children(processes[1]):
            os.kill(pid, signal.SIGKILL)
        assert ended(processes) == [0, 0], logs(directory, output)
    check_as_alone(directory, output)


def test_the_next_run_continues_with_the_parts_that_a_killed_one_has_left(directory):
    output = "continued"
    shutil.copytree(directory / "trained", directory / output)
    with started(directory, output) as processes:
        wait_for(lambda: len(parts(directory, output)) >= 2, 400)
        for process in processes:
            process.kill()
    left, again = parts(directory, output), set()
    with started(directory, output) as processes:
        while any(process.poll() is None for process in processes):
            found = parts(directory, output)
            again |= {path for path in left.keys() & found.keys() if found[path] != left[path]}
            time.sleep(0.05)
        assert ended(processes) == [0, 0], logs(directory, output)
    assert not again, "what was there is not decoded again"
    check_as_alone(directory, output)
