"""The real command as a process: started, watched, signalled; and what it left, to the bit."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from io import BytesIO
from pathlib import Path

import h5py

import job

PATIENCE = 120
"""Seconds after which what does not happen is taken not to happen; machines that run tests can be busy."""


def start(*arguments, cwd, before=()):
    variables = {name: value for name, value in os.environ.items() if not name.startswith("SEQ2SEQ_JOB_")}
    variables["PYTHONPATH"] = str(Path(job.__file__).parents[1])
    command = [*before, sys.executable, "-m", "job", *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=cwd, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_until(happened, process):
    """Wait for something that a running process brings about; return it."""
    deadline = time.monotonic() + PATIENCE
    while not (found := happened()):
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return found


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def running(pid):
    """Whether there is such a process; one that ended, and that nobody waited for, is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def ended(process, number=None):
    """Send a signal, if one is given, and wait for the end; return the exit code and what was printed."""
    if number is not None:
        process.send_signal(number)
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


def kill(process):
    """Leave nothing running, whatever a test came to."""
    for child in children(process.pid):
        os.kill(child, signal.SIGKILL)
    process.kill()
    process.communicate()


def read(path):
    return json.loads(path.read_text("utf-8"))


def checkpointed(directory):
    """The step of a job's last checkpoint, 0 where there is none."""
    return max([int(path.stem.split("-")[1]) for path in directory.glob("checkpoint/[!.]*.npz")], default=0)


def steps_taken(directory):
    """The training steps of a running job, 0 before its first. Before that a stop has no state to save."""
    try:
        return read(directory / "progress.json")["step"]
    except FileNotFoundError:
        return 0


def outcome(directory):
    """What a job came to, times and histories of processes apart: equal for equal results, to the bit."""
    result = read(directory / "result.json")
    result["data"].pop("resumed_from_step")
    rows = list(csv.DictReader((directory / "history.csv").read_text().splitlines()))
    for row in rows:
        assert float(row.pop("seconds")) >= 0
    return {
        "result": {
            key: result[key] for key in ("status", "fingerprint", "metrics", "validation", "data", "spec")
        },
        "history": rows,
        "predictions": (directory / "predictions.jsonl").read_bytes(),
        "validation_predictions": (directory / "validation_predictions.jsonl").read_bytes(),
        "weights": {path.name: weights(path) for path in sorted((directory / "model").glob("*.keras"))},
    }


def weights(model):
    """Every array of a `.keras` file as bytes, by its place in it."""
    found = {}
    with zipfile.ZipFile(model) as archive, h5py.File(BytesIO(archive.read("model.weights.h5"))) as file:
        file.visititems(lambda name, item: found.update({name: item[()]} if hasattr(item, "shape") else {}))
    assert found
    return {name: (array.shape, array.dtype, array.tobytes()) for name, array in found.items()}
