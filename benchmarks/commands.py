"""How long the commands take that train nothing: what a user waits for at a terminal."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

NIGHTS, JOBS = 365, 20
BATCH_JOBS = 600

_SPEC = """\
version: 1
jobs:
  - name: tiny
    problem: {kind: copy, source_length: 1, cardinality: 4}
    model: {units: 4}
    training: {examples: 64, batch_size: 32}
    evaluation: {examples: 64, validation_examples: 8}
"""


def command_seconds(arguments: list[str], directory: Path, runs: int) -> float:
    """Return the median of the seconds that a command takes, from its start to its end.

    Args:
        arguments: of `seq2seq-job`.
        directory: the working directory.
        runs: number of times it is run.

    Raises:
        CalledProcessError: the command failed.
    """
    seconds = []
    # as where the package is installed: its modules are compiled once, not at every start
    variables = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "job", *arguments]
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run(command, cwd=directory, env=variables, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def write_nights(directory: Path, nights: int = NIGHTS, jobs: int = JOBS) -> Path:
    """Train one tiny job, and write its report as those of many nights and jobs, with noise in the metrics.

    Args:
        directory: an existing directory.
        nights: number of runs, a day apart.
        jobs: number of jobs in each.

    Returns:
        the directory of the nights.

    Raises:
        CalledProcessError: the job failed.
    """
    report = json.loads((_train_one(directory) / "report.json").read_text(encoding="utf-8"))
    (job,) = report["jobs"]
    noise = random.Random(1)
    first = datetime.fromisoformat(report["finished_at"])
    for night in range(nights):
        finished = (first + timedelta(days=night)).isoformat()
        entries = [_another(job, f"tiny-{number}", noise) for number in range(jobs)]
        changed = {**report, "started_at": finished, "finished_at": finished, "jobs": entries}
        changed["totals"] = {**report["totals"], "passed": jobs}
        place = directory / "nights" / f"{night:03d}"
        place.mkdir(parents=True)
        (place / "report.json").write_text(json.dumps(changed), encoding="utf-8")
    return directory / "nights"


def write_batch(directory: Path, jobs: int = BATCH_JOBS) -> Path:
    """Train one tiny job, if that is not done yet, and copy its directory as those of a batch of many jobs.

    Args:
        directory: an existing directory.
        jobs: number of jobs.

    Returns:
        the output directory of the batch.

    Raises:
        CalledProcessError: the job failed.
    """
    one, batch = _train_one(directory), directory / "batch"
    result = json.loads((one / "jobs" / "tiny" / "result.json").read_text(encoding="utf-8"))
    plan = json.loads((one / "plan.json").read_text(encoding="utf-8"))
    (entry,) = plan["jobs"]
    names = [f"tiny-{number}" for number in range(jobs)]
    noise = random.Random(1)
    for name in names:
        place = batch / "jobs" / name
        shutil.copytree(one / "jobs" / "tiny", place)
        (place / "result.json").write_text(json.dumps(_another(result, name, noise)), encoding="utf-8")
    entries = [{**entry, "name": name} for name in names]
    (batch / "plan.json").write_text(json.dumps({**plan, "jobs": entries}), encoding="utf-8")
    return batch


def _train_one(directory: Path) -> Path:
    """Return the output directory of one tiny job, trained if it is not there."""
    spec, output = directory / "tiny.yaml", directory / "one"
    spec.write_text(_SPEC, encoding="utf-8")
    if not output.exists():
        command_seconds(["--spec", str(spec), "--output-dir", str(output)], directory, runs=1)
    return output


def _another(job: dict[str, Any], name: str, noise: random.Random) -> dict[str, Any]:
    """Return a result with another name and slightly other metrics."""
    spec = {**job["spec"], "name": name}
    metrics = {key: round(value * noise.uniform(0.9, 1.0), 6) for key, value in job["metrics"].items()}
    return {**job, "name": name, "spec": spec, "metrics": metrics}
