"""`--cluster`: processes on the loopback that train one model together, with real signals and kills."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cluster_runs import (
    SPEC,
    TOGETHER,
    checkpointed,
    ended,
    free_ports,
    local_addresses,
    logs,
    losses,
    result,
    retried,
    same_result,
    started,
    variables,
    wait_for,
    worker_of,
)

pytestmark = pytest.mark.exhaustive  # minutes; the default suite has one such training on Slurm


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    more = (
        "{examples: 2500, validation_examples: 1100, also: [{source_length: 7}]}"  # several batches to decode
    )
    spec = SPEC.replace("EPOCHS", "1").replace("{examples: 60, validation_examples: 40}", more)
    (directory / "jobs.yaml").write_text(spec.replace("source_length: 3", "source_length: 6"))
    return directory


@pytest.fixture(scope="module")
def unbroken(directory):
    """The batch by two processes."""
    with started(directory, "two") as processes:
        codes = ended(processes)
    assert codes == [0, 0], logs(directory, "two")
    return directory


def test_two_processes_end_with_the_losses_of_one(unbroken):
    done = subprocess.run(
        [sys.executable, "-m", "job", "--output-dir", "one", "--only", "together"],
        cwd=unbroken, env=variables(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(losses(unbroken, "two"), losses(unbroken, "one"), rtol=1e-4)


def test_evaluated_by_two_processes_it_is_what_one_finds(unbroken):
    """To the bit: the same model is evaluated again, by one process and with another number of workers."""
    files = [f"two/jobs/together/{name}" for name in ("predictions.jsonl", "validation_predictions.jsonl")]
    spread, found = [(unbroken / file).read_bytes() for file in files], result(unbroken, "two")
    assert [text.count(b"\n") for text in spread] == [2500, 1100]
    text = (unbroken / "jobs.yaml").read_text("utf-8")
    (unbroken / "again.yaml").write_text(
        text.replace("{examples: 2500,", "{length_penalty: 0.5, examples: 2500,")
    )
    done = subprocess.run(
        [sys.executable, "-m", "job", "--spec", "again.yaml", "--output-dir", "two", "--only", "together"],
        cwd=unbroken, env=variables(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "evaluated again" in done.stdout
    assert [(unbroken / file).read_bytes() for file in files] == spread
    again = result(unbroken, "two")
    assert again["metrics"] == found["metrics"]
    assert again["validation"] == found["validation"]
    assert again["also"] == found["also"]
    assert found["also"][0]["examples"] == 2500


def test_all_processes_report_the_same(unbroken):
    """The ordinary job was trained by one of them, and both know its result and that of the other job."""
    for i in (0, 1):
        log = (unbroken / f"two-{i}.log").read_text("utf-8")
        assert "2 jobs: 2 trained" in log
        assert re.search(r"ordinary +trained", log)
        assert re.search(r"together +trained", log)


def test_a_model_that_all_have_trained_is_evaluated_for_another_job(tmp_path):
    """Although that job is the costlier one."""
    together = SPEC[SPEC.index("  - name: together") :].replace("together", "searched")
    beam = together.replace("validation_examples: 40", "validation_examples: 40, decoder: beam")
    (tmp_path / "jobs.yaml").write_text((SPEC + beam).replace("EPOCHS", "1"))
    with started(tmp_path, "two", "--only", "together", "--only", "searched") as processes:
        codes = ended(processes)
    assert codes == [0, 0], logs(tmp_path, "two")
    assert result(tmp_path, "two", "searched")["model_of"] == "together"


def test_a_cluster_of_one_needs_no_option(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC.replace("EPOCHS", "1").replace("examples: 6400", "examples: 64"))
    done = subprocess.run(
        [sys.executable, "-m", "job", "--only", "together", "--cluster", f"localhost:{free_ports(1)[0]}"],
        cwd=tmp_path, env=variables(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert result(tmp_path, "output")["status"] == "passed"


def test_a_worker_does_not_start_threads_as_it_trains(tmp_path):
    """TensorFlow's own limit on waiting starts one for each collective operation: hundreds a second."""
    (tmp_path / "jobs.yaml").write_text(SPEC.replace("EPOCHS", "500"))
    with started(tmp_path, "output", "--only", "together") as processes:
        wait_for(lambda: checkpointed(tmp_path, "output"), 120)
        threads = Path(f"/proc/{worker_of(processes[0])}/task")
        before = len([*threads.iterdir()])
        time.sleep(4)
        assert len([*threads.iterdir()]) - before < 60


LONG = SPEC.replace("EPOCHS", "12")


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A longer training by two processes that nothing interrupts."""
    directory = tmp_path_factory.mktemp("long")
    (directory / "jobs.yaml").write_text(LONG)
    with started(directory, "unbroken") as processes:
        assert ended(processes) == [0, 0], logs(directory, "unbroken")
    return directory


@pytest.mark.parametrize("stopped", [0, 1], ids=["chief", "member"])
def test_a_stop_of_one_process_stops_all_and_the_next_run_resumes(long, stopped):
    output = f"stopped-{stopped}"
    with started(long, output) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        processes[stopped].send_signal(signal.SIGTERM)
        assert ended(processes) == [143, 143], logs(long, output)
    assert result(long, output)["status"] == "interrupted"
    with started(long, output) as processes:
        assert ended(processes) == [0, 0], logs(long, output)
    assert result(long, output)["data"]["resumed_from_step"] > 0
    assert same_result(long, output)


@pytest.mark.parametrize("killed", [0, 1], ids=["chief", "member"])
def test_the_worker_of_one_process_is_killed_and_all_try_again(long, killed):
    output = f"killed-{killed}"
    with started(long, output) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        os.kill(worker_of(processes[killed]), signal.SIGKILL)
        assert ended(processes) == [0, 0], logs(long, output)
    assert f"process {killed} of 2 (" in (long / f"{output}-0.log").read_text("utf-8")
    assert result(long, output)["attempts"] == 2
    assert same_result(long, output)


def test_a_worker_is_killed_in_the_evaluation_and_all_try_again(tmp_path):
    slow = "{examples: 20000, validation_examples: 40, decoder: beam, beam_width: 8}"
    spec = TOGETHER.replace("EPOCHS", "1").replace("{examples: 60, validation_examples: 40}", slow)
    (tmp_path / "jobs.yaml").write_text(spec.replace("source_length: 3", "source_length: 6"))
    with started(tmp_path, "output") as processes:
        saved = tmp_path / "output" / "jobs" / "together" / "model" / "vocabulary.json"
        wait_for(saved.exists, 240)  # the last file before the evaluation
        os.kill(worker_of(processes[1]), signal.SIGKILL)
        assert ended(processes) == [0, 0], logs(tmp_path, "output")
    assert "process 1 of 2 (" in retried(tmp_path, "output")
    found = result(tmp_path, "output")
    assert found["attempts"] == 2
    assert found["data"]["resumed_from_step"] == 100


@pytest.mark.parametrize("lost", [0, 1], ids=["chief", "member"])
def test_a_process_that_is_lost_ends_the_batch_with_its_name_and_the_next_run_resumes(long, lost):
    output = f"lost-{lost}"
    addresses = local_addresses(2)
    with started(long, output, "--lease-seconds", "15", addresses=addresses) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        processes[lost].kill()
        assert processes[1 - lost].wait(timeout=120) == 1, logs(long, output)
    name = f"process {lost} of 2 ({addresses[lost]})"
    assert name in (long / f"{output}-{1 - lost}.log").read_text("utf-8")
    with started(long, output, "--lease-seconds", "15", addresses=addresses) as processes:
        assert ended(processes) == [0, 0], logs(long, output)
    assert same_result(long, output)
