"""Batches of `--cluster`: processes on this machine that train one model together."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

import job

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


def local_addresses(count):
    return [f"localhost:{port}" for port in free_ports(count)]


def variables():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    return {**kept, "PYTHONPATH": str(Path(job.__file__).parents[1])}


@contextmanager
def started(directory, output, *options, addresses=None, count=2, prefixes=None, more=None):
    """The processes of a cluster, the chief first, each with its standard error in a file.

    Args:
        prefixes: words before each process's command.
        more: further environment variables.
    """
    addresses = addresses or local_addresses(count)
    given = {"node1:23456,node2:23456": ",".join(addresses), "/shared/output": output}
    words = [given.get(word, word) for word in DOCUMENTED.split()]
    command = [sys.executable, "-m", "job", *words[1:], "--workers", "1", *options]
    environment = {**variables(), **(more or {})}
    processes = []
    try:
        for i, address in enumerate(addresses):
            prefix = prefixes[i] if prefixes else []
            with (directory / f"{output}-{i}.log").open("w") as log:
                processes.append(
                    subprocess.Popen(
                        [*prefix, *command], cwd=directory, env=environment, stderr=log, stdout=log
                    )
                )
            wait_for(lambda port=address.rpartition(":")[2]: is_taken(port), 60)
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


def is_taken(port):
    """Whether a process of the cluster has taken an address, so that the next one takes the next."""
    for process in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it may end at any moment
            for path in [*Path(f"/proc/{process}/fd").iterdir()]:
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


def worker_of(process):
    """The pid of the worker process of a command."""
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False)
    (pid,) = listed.stdout.split()
    return int(pid)


def logs(directory, output):
    return "\n".join(path.read_text("utf-8") for path in sorted(directory.glob(f"{output}-*.log")))


def result(directory, output, name="together"):
    return json.loads((directory / output / "jobs" / name / "result.json").read_text("utf-8"))


def losses(directory, output):
    return np.array(result(directory, output)["history"]["loss"], dtype=float)


def checkpointed(directory, output):
    return any((directory / output / "jobs" / "together" / "checkpoint").glob("*.npz"))


def same_result(directory, output, unbroken="unbroken"):
    files = [directory / out / "jobs" / "together" / "predictions.jsonl" for out in (unbroken, output)]
    return files[0].read_bytes() == files[1].read_bytes() and np.array_equal(
        losses(directory, unbroken), losses(directory, output)
    )


TOGETHER = SPEC[: SPEC.index("  - name: ordinary")] + SPEC[SPEC.index("  - name: together") :]
"""The spec with the jobs alone that all processes train together."""


def train_unbroken(directory, *counts):
    """Train TOGETHER by each number of processes, in `unbroken-COUNT`, interrupted by nothing."""
    (directory / "jobs.yaml").write_text(TOGETHER.replace("EPOCHS", "16"))
    for count in counts:
        with started(directory, f"unbroken-{count}", count=count) as processes:
            assert ended(processes) == [0] * count, logs(directory, f"unbroken-{count}")


def retried(directory, output):
    """The line of the log that says why the job was retried."""
    (line,) = [line for line in logs(directory, output).splitlines() if line.endswith("it is retried")]
    return line
