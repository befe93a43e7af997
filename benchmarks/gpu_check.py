"""`make gpu-check`: the checks of tests/gpu on the GPUs of this machine, then training beside PyTorch there.

Prints one table. Without a GPU it says so and exits with 0. Whatever does not fit into the time limit is
listed as not run. `--rehearse` takes the CPU for the GPU, and times one small model without PyTorch.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import yaml
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import peers_environment
from benchmarks.contenders import Contender, program
from benchmarks.shapes import Job, alone, changed, peer_shapes
from benchmarks.workload import write_workload
from job.workers.limits import read_limits

ROOT = Path(__file__).parent.parent
LIMIT_SECONDS = 570.0
"""Time for everything: the command ends within 10 minutes."""

NO_GPU = "no GPU: this machine has no NVIDIA GPU, or CUDA_VISIBLE_DEVICES hides it; nothing was checked"

Outcome = Literal["passed", "FAILED", "skipped", "not run", "measured"]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table.

    Attributes:
        name: of the check, or of what was timed.
        outcome: what came of it.
        figure: what was measured, or why it failed or was not run.
        seconds: that it took.
    """

    name: str
    outcome: Outcome
    figure: str = ""
    seconds: float = 0.0


@dataclass
class Session:
    """One run, and the time that is left of it.

    Attributes:
        scratch: takes what the programs leave.
        rehearsed: whether the CPU stands for the GPU.
        arguments: given to pytest.
    """

    scratch: Path
    rehearsed: bool
    arguments: Sequence[str] = ()
    _ends: float = field(default_factory=lambda: time.monotonic() + LIMIT_SECONDS)

    @property
    def left(self) -> float:
        """Seconds until the limit."""
        return self._ends - time.monotonic()

    @property
    def variables(self) -> dict[str, str]:
        """The environment of all programs."""
        hidden = {"GPU_CHECK_DEVICE": "cpu", "CUDA_VISIBLE_DEVICES": ""} if self.rehearsed else {}
        return {**os.environ, **hidden}


def main() -> None:
    """Check and measure what there is time for; exits with 1 if a check has failed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rehearse", action="store_true", help="on the CPU: do the checks themselves work?")
    parser.add_argument("arguments", nargs="*", metavar="ARGUMENT", help="for pytest, after --")
    given = parser.parse_args()
    if not given.rehearse and not read_limits().gpus:
        print(NO_GPU)
        return
    os.chdir(ROOT)
    rows = []
    with tempfile.TemporaryDirectory() as directory:
        session = Session(Path(directory), given.rehearse, given.arguments)
        for row in (*checks(session), *timings(session)):
            rows.append(row)
    print_table(rows, Console(width=None if sys.stdout.isatty() else 110))
    if any(row.outcome == "FAILED" for row in rows):
        sys.exit(1)


# --- the suite ----------------------------------------------------------------------------------------------


def checks(session: Session) -> list[Row]:
    """Run the suite; return a row for each of its tests, or one that says why there is none."""
    report, log = session.scratch / "junit.xml", session.scratch / "pytest.log"
    command = [sys.executable, "-m", "pytest", "tests/gpu", "-m", "gpu", "-q", "-p", "no:cacheprovider"]
    command += ["-o", "junit_family=xunit1", f"--junitxml={report}", *session.arguments]
    try:
        with log.open("wb") as output:
            subprocess.run(
                command, env=session.variables, stdout=output, stderr=output,
                timeout=session.left, check=False,
            )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [Row(name="tests/gpu", outcome="FAILED", figure=f"did not end in {LIMIT_SECONDS:g} s")]
    found = rows_of(report) if report.exists() else []
    if not found or any(row.outcome == "FAILED" for row in found):
        print(log.read_text(errors="replace"), file=sys.stderr)
    return found or [Row(name="tests/gpu", outcome="FAILED", figure="pytest found no test")]


def rows_of(report: Path) -> list[Row]:
    """Return a row for each test of a report in the format of JUnit."""
    return [_row(case) for case in ElementTree.parse(report).getroot().iter("testcase")]


def _row(case: ElementTree.Element) -> Row:
    outcome: Outcome = "passed"
    figure = ", ".join(each.get("value", "") for each in case.iter("property"))
    for tag, then in (("failure", "FAILED"), ("error", "FAILED"), ("skipped", "skipped")):
        if (found := case.find(tag)) is not None:
            outcome, figure = then, found.get("message", "").partition("\n")[0]  # type: ignore[assignment]
    name = case.get("name", "").removeprefix("test_").replace("_", " ")
    return Row(name=name, outcome=outcome, figure=figure, seconds=float(case.get("time", 0)))


# --- timings ------------------------------------------------------------------------------------------------


def timings(session: Session) -> Iterator[Row]:
    """Yield the training and decoding speed of this job and of PyTorch at every shape of `make bench`."""
    spec = yaml.safe_load(Path("jobs.yaml").read_text(encoding="utf-8"))
    shapes = _small(peer_shapes(spec)) if session.rehearsed else peer_shapes(spec)
    contenders, missing = _contenders(session)
    for shape, job in shapes.items():
        place = session.scratch / shape
        write_workload(place, alone(spec, job))
        for contender in contenders:
            yield timed(session, f"{shape}: {contender.name}", contender, place)
        if missing:
            yield Row(name=f"{shape}: PyTorch", outcome="not run", figure=missing)


def _small(shapes: dict[str, Job]) -> dict[str, Job]:
    sizes = {"training": {"examples": 2_560}, "evaluation": {"examples": 100}}
    return {"tutorial": changed(shapes["tutorial"], "tutorial", **sizes)}


def _contenders(session: Session) -> tuple[list[Contender], str]:
    """Return what is timed, and why PyTorch is not; '' if it is."""
    own = program("seq2seq-job", "fused", 2)
    if session.rehearsed:
        return [own], "a rehearsal does not install it"
    try:
        python = peers_environment.prepare()
    except (OSError, subprocess.SubprocessError) as error:
        return [own], f"it cannot be installed: {error}"
    return [own, program("PyTorch", "pytorch", 2, python)], ""


def timed(session: Session, name: str, contender: Contender, place: Path) -> Row:
    """Run a contender; return its speeds, or why there are none."""
    if session.left < 1:
        return Row(name=name, outcome="not run", figure="no time was left")
    began = time.monotonic()
    try:
        done = subprocess.run(
            [*contender.command, str(place)], env={**session.variables, **contender.variables},
            capture_output=True, text=True, timeout=session.left, check=True,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Row(name=name, outcome="not run", figure="no time was left", seconds=time.monotonic() - began)
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        return Row(name=name, outcome="FAILED", figure=f"exit code {error.returncode}")
    said = json.loads(done.stdout.splitlines()[-1])
    speeds = f"{said['examples_per_second']:,.0f} examples/s, greedy {said['greedy_per_second']:,.0f}/s"
    seconds = time.monotonic() - began
    return Row(name=name, outcome="measured", figure=f"{speeds}, on {said['device']}", seconds=seconds)


def print_table(rows: Sequence[Row], console: Console) -> None:
    """Print all rows."""
    table = Table(box=box.SIMPLE)
    for heading in ("check", "", "figure"):
        table.add_column(heading)
    table.add_column("s", justify="right")
    for row in rows:
        table.add_row(row.name, row.outcome, row.figure, f"{row.seconds:.1f}")
    console.print(table, highlight=False)


if __name__ == "__main__":
    main()
