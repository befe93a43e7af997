"""`python -m benchmarks.kill_points --kills 20`: kill a batch at random points, and start it again each time.

A batch of small jobs by two workers is run once unbroken. Then it is run again and again with SIGKILL sent at
times drawn from the whole length of the run, to the parent alone, to one worker, or to all processes, and
started again until it is through. Each time it is through, the weights, histories, predictions, metrics and
data facts of every job are held against the unbroken run's. Any difference is printed, and the exit code is
then 1.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

SPEC = """\
version: 1
seed: 5
defaults:
  model: {units: 16}
  training: {examples: 12800, epochs: 3, batch_size: 16, checkpoint_minutes: 0.005}
  evaluation: {examples: 500, validation_examples: 100}
  retries: 5
jobs:
  - name: dropout
    problem: {kind: reversed_prefix, source_length: 3, target_length: 2, cardinality: 6}
    model: {dropout: 0.1, inputs: embedding, embedding_size: 8}
  - name: early-stopping
    problem: {kind: addition, digits: 1}
    training: {early_stopping: {patience: 1, min_delta: 0.05}}
  - name: attention
    problem: {kind: reverse, source_length: 3, cardinality: 6}
    model: {cell: gru, attention: luong_dot, bidirectional: true}
  - name: beam
    problem: {kind: sort, source_length: 3, cardinality: 6}
    evaluation: {decoder: beam}
"""
"""What a run remembers differs from job to job; no result is of interest."""

JOBS = SPEC.count("- name: ")
VICTIMS = ("parent", "worker", "all")
PATIENCE_SECONDS = 900.0


@dataclass
class Kill:
    """One SIGKILL.

    Attributes:
        victim: one of `VICTIMS`.
        seconds: after the process was started.
        found: how far the jobs were then.
        run: the number of the broken run, from 1.
        differences: of that run's results from the unbroken run's.
    """

    victim: str
    seconds: float
    found: str
    run: int
    differences: list[str] = field(default_factory=list)


def main() -> None:
    """Kill as often as asked, print a row a kill, and leave with 1 if any result differed."""
    arguments = _parser().parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        (scratch / "jobs.yaml").write_text(SPEC, encoding="utf-8")
        began = time.monotonic()
        _through(start(scratch, "whole"), scratch / "whole")
        length = time.monotonic() - began
        print(f"unbroken: {length:.1f} s", file=sys.stderr)
        kills: list[Kill] = []
        runs = 0
        while len(kills) < arguments.kills:
            runs += 1
            new = list(break_run(scratch, runs, length, draw, arguments.kills - len(kills)))
            kills += new
            found = differences(scratch / "whole" / "jobs", scratch / "broken" / "jobs")
            for kill in new:
                kill.differences = found
            shutil.rmtree(scratch / "broken")
    print_kills(kills, Console())
    sys.exit(1 if any(kill.differences for kill in kills) else 0)


def start(scratch: Path, output: str) -> subprocess.Popen[str]:
    """Start the command on the spec in `scratch`."""
    command = [sys.executable, "-m", "job", "--workers", "2", "--output-dir", output]
    return subprocess.Popen(
        command,
        cwd=scratch,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _through(process: subprocess.Popen[str], output: Path) -> None:
    """Wait for the end of a batch, and end this program where it is not 0."""
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    if process.returncode != 0:
        sys.exit(f"{output.name}: exit code {process.returncode}\n{said}")


def break_run(scratch: Path, run: int, length: float, draw: random.Random, most: int) -> Iterator[Kill]:
    """Run a batch in `broken`, kill it at most `most` times, and see it through; yield each kill."""
    output = scratch / "broken"
    process = start(scratch, "broken")
    began = time.monotonic()
    for _ in range(most):
        left = length * max(0.3, 1 - _done(output) / JOBS)  # starting takes its time, whatever is done
        if not _runs_on(process, draw.uniform(0.0, left)):
            break  # it was through before
        victim = draw.choice(VICTIMS)
        found = standing(output / "jobs")
        _kill(process, victim, draw)
        yield _told(Kill(victim, time.monotonic() - began, found, run))
        if victim != "worker":
            process.communicate()
            process, began = start(scratch, "broken"), time.monotonic()
    _through(process, output)


def _done(output: Path) -> int:
    return len(list(output.glob("jobs/*/result.json")))


def _runs_on(process: subprocess.Popen[str], seconds: float) -> bool:
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _kill(process: subprocess.Popen[str], victim: str, draw: random.Random) -> None:
    workers = _children(process.pid)
    if victim == "worker":
        victims = [draw.choice(workers)] if workers else []
    else:
        victims = [process.pid, *(workers if victim == "all" else [])]
    for pid in victims:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # the kernel was quicker
            continue


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _told(kill: Kill) -> Kill:
    print(
        f"run {kill.run}: {kill.victim} killed at {kill.seconds:.1f} s: {kill.found}",
        file=sys.stderr,
        flush=True,
    )
    return kill


def standing(jobs: Path) -> str:
    """Say how far each job is, from what lies on the disk."""
    stages = []
    for job in sorted(jobs.glob("*")):
        steps = [int(path.stem.split("-")[1]) for path in job.glob("checkpoint/[!.]*.npz")]
        if (job / "result.json").exists():
            stage = "done"
        elif (job / "model").exists():
            stage = "evaluating"
        elif steps:
            stage = f"step {max(steps)}"
        else:
            stage = "training" if (job / "spec.yaml").exists() else "waiting"
        stages.append(f"{job.name} {stage}")
    return ", ".join(stages) or "starting"


# --- results ------------------------------------------------------------------------------------------------


def differences(whole: Path, broken: Path) -> list[str]:
    """Return what differs between the jobs of two batches, times and attempts apart; to the bit."""
    found = []
    for job in sorted(path.name for path in whole.iterdir()):
        one, other = outcome(whole / job), outcome(broken / job)
        found += [f"{job}: {key}" for key in one | other if one.get(key) != other.get(key)]
        found += [f"{job}: checkpoint/ is left"] if (broken / job / "checkpoint").exists() else []
    return found


def outcome(job: Path) -> dict[str, Any]:
    """Return what a job came to, by name: equal for equal results."""
    result = json.loads((job / "result.json").read_bytes())
    result["data"].pop("resumed_from_step")
    with (job / "history.csv").open(newline="", encoding="utf-8") as file:
        history = [
            {key: value for key, value in row.items() if key != "seconds"} for row in csv.DictReader(file)
        ]
    found = {key: result[key] for key in ("status", "fingerprint", "metrics", "data")}
    found |= {"history": history, "predictions": (job / "predictions.jsonl").read_bytes()}
    for model in ("train", "inference_encoder", "inference_decoder"):
        with zipfile.ZipFile(job / "model" / f"{model}.keras") as archive:  # the rest of it names no numbers
            found[f"weights of {model}"] = archive.read("model.weights.h5")
    return found


def print_kills(kills: list[Kill], console: Console) -> None:
    """Print a row a kill, and how many there were of each kind."""
    table = Table(box=box.SIMPLE, title="SIGKILL at random points", title_justify="left")
    for heading in ("", "run", "killed", "at s", "jobs then", "results"):
        table.add_column(heading, overflow="fold", justify="right" if heading in ("", "at s") else "left")
    for number, kill in enumerate(kills, 1):
        verdict = "; ".join(kill.differences) or "equal"
        table.add_row(str(number), str(kill.run), kill.victim, f"{kill.seconds:.1f}", kill.found, verdict)
    console.print(table)
    wrong = sum(bool(kill.differences) for kill in kills)
    counts = ", ".join(f"{sum(kill.victim == v for kill in kills)} {v}" for v in VICTIMS)
    console.print(
        f"{len(kills)} kills ({counts}) in {kills[-1].run} broken runs; different results after {wrong}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kill_points", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="how many (default: 20)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the random points (default: 1)")
    return parser


if __name__ == "__main__":
    main()
