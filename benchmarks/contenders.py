"""Who runs: how each contender is started, and where its accuracy stands when it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.shapes import Shape, find_job


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that trains and evaluates one shape.

    Attributes:
        command: starts it, from a fresh scratch directory and a seed.
        accuracy: its sequence accuracy in 0..1, from that directory and its standard output.
    """

    name: str
    command: Callable[[Path, int], list[str]]
    accuracy: Callable[[Path, str], float]


def this_job(spec: dict[str, Any], shape: Shape) -> Contender:
    """`seq2seq-job` on the shape's job alone, everything else as the spec has it."""

    def command(scratch: Path, seed: int) -> list[str]:
        alone = {**spec, "seed": seed, "jobs": [find_job(spec, shape.name)]}
        file = scratch / "jobs.yaml"
        file.write_text(yaml.safe_dump(alone), encoding="utf-8")
        program = str(Path(sys.executable).with_name("seq2seq-job"))
        return [program, "--spec", str(file), "--output-dir", str(scratch / "output")]

    def accuracy(scratch: Path, _: str) -> float:
        report = json.loads((scratch / "output" / "report.json").read_text(encoding="utf-8"))
        (job,) = report["jobs"]
        return float(job["metrics"]["sequence_accuracy"])

    return Contender(name="seq2seq-job", command=command, accuracy=accuracy)


def peer(name: str, module: str, shape: Shape) -> Contender:
    """A program of this package, which prints its figures as one line of JSON, the last."""

    def command(_: Path, seed: int) -> list[str]:
        sizes = ("source_length", "target_length", "cardinality", "units", "examples")
        options = [f"--{size.replace('_', '-')}={getattr(shape, size)}" for size in sizes]
        program = str(Path(__file__).with_name(f"{module}.py"))
        return [sys.executable, program, *options, f"--seed={seed}"]

    def accuracy(_: Path, output: str) -> float:
        return float(json.loads(output.splitlines()[-1])["sequence_accuracy"])

    return Contender(name=name, command=command, accuracy=accuracy)
