"""`--cluster`: processes on the loopback that train one model together, with real signals and kills."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

import job

pytestmark = pytest.mark.exhaustive  # minutes; the default suite has one such training on Slurm

SPEC = """\
version: 1
jobs:
  - name: ordinary
    problem: {kind: copy, source_length: 2, cardinality: 6}
    model: {units: 4}
    training: {examples: 320, batch_size: 32}
    evaluation: {examples: 20, validation_examples: 10}
  - name: together
    problem: {kind: reverse, source_length: 3, cardinality: 8}
    model: {units: 16}
    training:
      {examples: 6400, batch_size: 64, epochs: EPOCHS, distribution: multi_worker, checkpoint_minutes: 0.01}
    evaluation: {examples: 60, validation_examples: 40}
"""


(DOCUMENTED,) = re.findall(
    r"^seq2seq-job --cluster .*$",
    (Path(__file__).parents[2] / "docs" / "clusters.md").read_text("utf-8"),
    re.MULTILINE,
)


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def variables():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    return {**kept, "PYTHONPATH": str(Path(job.__file__).parents[1])}


@contextmanager
def started(directory, output, *options, count=2, addresses=None):
    """The processes of a cluster, the chief first, each with its standard error in a file."""
    addresses = addresses or ",".join(f"localhost:{port}" for port in free_ports(count))
    given = {"node1:23456,node2:23456": addresses, "/shared/output": output}
    words = [given.get(word, word) for word in DOCUMENTED.split()]
    command = [sys.executable, "-m", "job", *words[1:], "--workers", "1"]
    processes = []
    for i in range(count):
        with (directory / f"{output}-{i}.log").open("w") as log:
            processes.append(
                subprocess.Popen([*command, *options], cwd=directory, env=variables(), stderr=log, stdout=log)
            )
        wait_for(lambda port=addresses.split(",")[i].rpartition(":")[2]: is_taken(port), 60)
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def is_taken(port):
    """Whether a process of the cluster has taken an address, so that the next one takes the next."""
    for path in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if path.readlink().name.endswith(f"-{port}.lock"):
                return True
    return False


def wait_for(holds, seconds):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def ended(processes, seconds=240):
    return [process.wait(timeout=seconds) for process in processes]


def logs(directory, output):
    return "\n".join(path.read_text("utf-8") for path in sorted(directory.glob(f"{output}-*.log")))


def result(directory, output, name="together"):
    return json.loads((directory / output / "jobs" / name / "result.json").read_text("utf-8"))


def losses(directory, output):
    return np.array(result(directory, output)["history"]["loss"], dtype=float)


def checkpointed(directory, output):
    return any((directory / output / "jobs" / "together" / "checkpoint").glob("*.npz"))


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("cluster")
    (directory / "jobs.yaml").write_text(SPEC.replace("EPOCHS", "1"))
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


def test_all_processes_report_the_same(unbroken):
    """The ordinary job was trained by one of them, and both know its result and that of the other job."""
    for i in (0, 1):
        log = (unbroken / f"two-{i}.log").read_text("utf-8")
        assert "2 jobs: 2 trained" in log
        assert re.search(r"ordinary +trained", log)
        assert re.search(r"together +trained", log)


def test_a_cluster_of_one_needs_no_option(tmp_path):
    (tmp_path / "jobs.yaml").write_text(SPEC.replace("EPOCHS", "1").replace("examples: 6400", "examples: 64"))
    done = subprocess.run(
        [sys.executable, "-m", "job", "--only", "together", "--cluster", f"localhost:{free_ports(1)[0]}"],
        cwd=tmp_path, env=variables(), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert result(tmp_path, "output")["status"] == "passed"


LONG = SPEC.replace("EPOCHS", "12")


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A longer training by two processes that nothing interrupts."""
    directory = tmp_path_factory.mktemp("long")
    (directory / "jobs.yaml").write_text(LONG)
    with started(directory, "unbroken") as processes:
        assert ended(processes) == [0, 0], logs(directory, "unbroken")
    return directory


def same_result(directory, output):
    files = [directory / out / "jobs" / "together" / "predictions.jsonl" for out in ("unbroken", output)]
    return files[0].read_bytes() == files[1].read_bytes() and np.array_equal(
        losses(directory, "unbroken"), losses(directory, output)
    )


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


def worker_of(process):
    """The pid of the worker process of a command."""
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in listed.stdout.split()]


@pytest.mark.parametrize("killed", [0, 1], ids=["chief", "member"])
def test_the_worker_of_one_process_is_killed_and_all_try_again(long, killed):
    output = f"killed-{killed}"
    with started(long, output) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        for pid in worker_of(processes[killed]):
            os.kill(pid, signal.SIGKILL)
        assert ended(processes) == [0, 0], logs(long, output)
    assert result(long, output)["attempts"] == 2
    assert same_result(long, output)


@pytest.mark.parametrize("lost", [0, 1], ids=["chief", "member"])
def test_a_process_that_is_lost_ends_the_batch_with_its_name_and_the_next_run_resumes(long, lost):
    output = f"lost-{lost}"
    addresses = ",".join(f"localhost:{port}" for port in free_ports(2))
    with started(long, output, "--lease-seconds", "15", addresses=addresses) as processes:
        wait_for(lambda: checkpointed(long, output), 120)
        processes[lost].kill()
        assert processes[1 - lost].wait(timeout=120) == 1, logs(long, output)
    name = f"process {lost} of 2 ({addresses.split(',')[lost]})"
    assert name in (long / f"{output}-{1 - lost}.log").read_text("utf-8")
    with started(long, output, "--lease-seconds", "15", addresses=addresses) as processes:
        assert ended(processes) == [0, 0], logs(long, output)
    assert same_result(long, output)
