"""`--cluster`: finished models that all processes evaluate again."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cluster_runs import (
    TOGETHER,
    ended,
    local_addresses,
    logs,
    result,
    retried,
    started,
    variables,
    wait_for,
    worker_of,
)

pytestmark = pytest.mark.exhaustive

EVALUATION = (
    "{examples: 12000, validation_examples: 1500, also: [{source_length: 19}], decoder: beam, beam_width: 20}"
)
"""Several seconds of decoding, in many parts."""

FILES = ("predictions.jsonl", "validation_predictions.jsonl")


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A directory with a model of two processes, in `trained`, and the spec of another evaluation."""
    directory = tmp_path_factory.mktemp("cluster")
    spec = TOGETHER.replace("EPOCHS", "1").replace("source_length: 3", "source_length: 20")
    first = "{examples: 60, validation_examples: 1500}"
    spec = spec.replace("{examples: 60, validation_examples: 40}", first)
    (directory / "jobs.yaml").write_text(spec)
    with started(directory, "trained") as processes:
        assert ended(processes) == [0, 0], logs(directory, "trained")
    (directory / "jobs.yaml").write_text(spec.replace(first, EVALUATION))
    return directory


@pytest.fixture(scope="module")
def alone(directory):
    """The same directory with the other evaluation by one process, in `alone`."""
    shutil.copytree(directory / "trained", directory / "alone")
    done = subprocess.run(
        [sys.executable, "-m", "job", "--output-dir", "alone"],
        cwd=directory, env=variables(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def check_as_alone(directory, output):
    """Compare an evaluation with that by one process, to the bit."""
    for file in FILES:
        places = [directory / each / "jobs" / "together" / file for each in ("alone", output)]
        assert places[0].read_bytes() == places[1].read_bytes()
    expected, found = result(directory, "alone"), result(directory, output)
    for key in ("metrics", "validation", "also", "history", "analysis"):
        assert found[key] == expected[key]
    assert found["data"]["test_examples"] == 12000


def wait_until_decoding(directory, output):
    """Wait until parts of the test are decoded: some seconds after the last file before the evaluation."""

    def recorded():
        found = (directory / output / "jobs").glob(".*/model/vocabulary.json")
        return any('"beam"' in path.read_text("utf-8") for path in found)

    wait_for(recorded, 120)
    time.sleep(4)


def cpu_seconds(pid):
    """The time that a process has computed for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_a_model_is_evaluated_again_by_all_processes_as_by_one(alone):
    shutil.copytree(alone / "trained", alone / "two")
    with started(alone, "two") as processes:
        wait_until_decoding(alone, "two")
        workers = [worker_of(process) for process in processes]
        before = [cpu_seconds(worker) for worker in workers]
        time.sleep(2)
        spent = [cpu_seconds(worker) - seconds for worker, seconds in zip(workers, before, strict=True)]
        assert ended(processes) == [0, 0], logs(alone, "two")
    assert min(spent) > 0.25 * max(spent), "one of them waits for the other"
    assert "re-evaluate: evaluation.examples" in logs(alone, "two")
    assert result(alone, "two")["attempts"] == 1
    check_as_alone(alone, "two")


def test_the_chiefs_worker_is_killed_in_another_evaluation_and_all_try_again(alone):
    output, addresses, killed = "killed", local_addresses(2), 0
    shutil.copytree(alone / "trained", alone / output)
    with started(alone, output, addresses=addresses) as processes:
        wait_until_decoding(alone, output)
        began = time.monotonic()
        os.kill(worker_of(processes[killed]), signal.SIGKILL)
        wait_for(lambda: "it is retried" in logs(alone, output), 30)
        assert time.monotonic() - began < 15
        assert ended(processes) == [0, 0], logs(alone, output)
    assert f"process {killed} of 2 ({addresses[killed]})" in retried(alone, output)
    assert result(alone, output)["attempts"] == 2
    check_as_alone(alone, output)


def test_a_process_that_is_lost_in_another_evaluation_is_named_and_the_next_run_evaluates(alone):
    output, addresses = "lost", local_addresses(2)
    shutil.copytree(alone / "trained", alone / output)
    with started(alone, output, "--lease-seconds", "15", addresses=addresses) as processes:
        wait_until_decoding(alone, output)
        processes[1].kill()
        assert processes[0].wait(timeout=120) == 1, logs(alone, output)
    assert f"process 1 of 2 ({addresses[1]})" in logs(alone, output)
    with started(alone, output, "--lease-seconds", "15", addresses=addresses) as processes:
        assert ended(processes) == [0, 0], logs(alone, output)
    assert "re-evaluate: evaluation.examples" in logs(alone, output)
    check_as_alone(alone, output)


def test_a_stop_of_one_process_in_another_evaluation_stops_all(alone):
    output = "stopped"
    shutil.copytree(alone / "trained", alone / output)
    with started(alone, output) as processes:
        wait_until_decoding(alone, output)
        processes[1].send_signal(signal.SIGTERM)
        assert ended(processes, 15) == [143, 143], logs(alone, output)
    with started(alone, output) as processes:
        assert ended(processes) == [0, 0], logs(alone, output)
    check_as_alone(alone, output)
