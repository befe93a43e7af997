"""Who runs: how each contender is started on a workload, and what it says when it is done."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.comparison import OWN
from benchmarks.measuring import Cost, measure
from benchmarks.programs.lesson import Lesson
from job.process.tensorflow_loading import VARIABLES

ROOT = Path(__file__).parent.parent


class ContenderError(Exception):
    """A contender left with a code that is not 0; the text quotes its last words."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """One run: what it cost, and what it said."""

    cost: Cost
    said: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A program that trains one model.

    Attributes:
        name: as the tables show it.
        command: starts it; the arguments of a run are added.
        variables: added to its environment.
    """

    name: str
    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, where: Path, *arguments: str) -> Done:
        """Run it to its end; it prints its figures as one line of JSON, the last.

        Args:
            where: takes what it prints.
            arguments: of this run.

        Raises:
            ContenderError: it failed.
        """
        cost = run_measured(self.name, [*self.command, *arguments], where / self.name, self.variables)
        output = where / f"{self.name}.stdout"
        return Done(cost=cost, said=json.loads(output.read_text(errors="replace").splitlines()[-1]))


def program(name: str, module: str, threads: int, python: Path | None = None) -> Contender:
    """A program of `benchmarks.programs`, for this Python or another; `fused` gets what a worker gets."""
    count = str(threads)
    names = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    variables = VARIABLES if module == "fused" else dict.fromkeys(names, count)
    return Contender(
        name=name,
        command=(str(python or sys.executable), "-m", f"benchmarks.programs.{module}", f"--threads={count}"),
        variables={"PYTHONPATH": str(ROOT), **variables},
    )


def tutorial_program(lesson: Lesson) -> Contender:
    """The tutorial's own program, which makes its examples itself."""
    options = {
        "source-length": lesson.source.shape[1],
        "target-length": lesson.columns,
        "cardinality": lesson.source_size,
        "units": lesson.units,
        "examples": len(lesson.source),
    }
    file = str(Path(__file__).with_name("tutorial_program.py"))
    arguments = tuple(f"--{name}={value}" for name, value in options.items())
    return Contender(name="tutorial's program", command=(sys.executable, file, *arguments))


def run_job(workload: Path, output: Path, *arguments: str) -> Done:
    """Run `seq2seq-job` on a workload's spec; what it said is its `report.json`.

    Raises:
        ContenderError: it failed.
    """
    command = [
        sys.executable,
        "-m",
        "job",
        "--spec",
        str(workload / "jobs.yaml"),
        "--output-dir",
        str(output),
    ]
    cost = run_measured(OWN, [*command, *arguments], output, {"PYTHONPATH": str(ROOT)})
    return Done(cost=cost, said=json.loads((output / "report.json").read_text(encoding="utf-8")))


def run_measured(name: str, command: list[str], said: Path, variables: Mapping[str, str]) -> Cost:
    """Run a command to its end and say what it cost.

    Args:
        name: the command's, as it is said.
        command: the program and its arguments.
        said: takes what it prints, in files of this name with `.stdout` and `.stderr` added.
        variables: added to the environment.

    Raises:
        ContenderError: it failed.
    """
    files = said.with_name(f"{said.name}.stdout"), said.with_name(f"{said.name}.stderr")
    cost = measure(command, *files, variables)
    if cost.exit_code != 0:
        raise ContenderError(f"{name}: exit code {cost.exit_code}\n" + "\n".join(map(_tail, files)))
    _say(f"  {name}: {cost.wall_seconds:.1f} s, {cost.peak_tree_rss_bytes / 1e6:.0f} MB")
    return cost


def at_once(contender: Contender, places: list[Path], *arguments: str) -> list[Done]:
    """Run a contender several times at once, one a directory, each on the workload that is there."""
    with ThreadPoolExecutor(len(places)) as pool:
        return list(pool.map(lambda place: contender.run(place, str(place), *arguments), places))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _tail(file: Path, lines: int = 20) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])
