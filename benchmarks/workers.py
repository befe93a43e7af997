"""`python -m benchmarks.workers`: how much faster two workers are than one, against what the machine gives.

Eight equal small jobs are done by `--workers 1` and `--workers 2`, and by one and by two processes that know
nothing of each other, each pinned to a core of its own (`benchmarks.alone`). Two processes at once share
caches and memory, and on a rented machine perhaps a core: their speed-up over one is the ceiling. The target
is that the batch gets at least 0.9 of it. A target that is missed is printed as MISSED and does not change
the exit code: timings on a busy machine are not a test.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from job.process.tensorflow_loading import VARIABLES

TARGET = 0.9
JOBS = 8

SPEC = f"""\
version: 1
jobs:
  - name: equal
    matrix: {{seed: {list(range(1, JOBS + 1))}}}
    problem: {{kind: reversed_prefix, source_length: 6, target_length: 3, cardinality: 51}}
    training: {{examples: 30000}}
    evaluation: {{examples: 1000}}
"""


def main() -> None:
    """Time the four, in turn, `--rounds` times."""
    arguments = _parser().parse_args()
    if len(_cores()) < 2:
        sys.exit("two cores are needed")
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        (scratch / "jobs.yaml").write_text(SPEC, encoding="utf-8")
        contenders: dict[str, Callable[[Path], None]] = {
            "1 process": lambda output: processes(scratch, output, 1),
            "--workers 1": lambda output: batch(scratch, output, 1),
            "2 processes": lambda output: processes(scratch, output, 2),
            "--workers 2": lambda output: batch(scratch, output, 2),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contenders}
        # Untimed: bring the libraries into the page cache, so that the first contender does not pay for all.
        subprocess.run([sys.executable, "-c", "import keras"], check=True, capture_output=True)
        for number in range(arguments.rounds):
            for name, run in contenders.items():
                began = time.perf_counter()
                run(scratch / f"{name}-{number}")
                seconds[name].append(time.perf_counter() - began)
                load = os.getloadavg()[0]
                print(f"{name}: {seconds[name][-1]:.1f} s (load {load:.1f})", file=sys.stderr, flush=True)
    print_speedups({name: statistics.median(times) for name, times in seconds.items()}, Console())


def processes(scratch: Path, output: Path, count: int) -> None:
    """Have `count` processes do an equal share each, at once; ends the program if one fails."""
    started = []
    for first, core in zip(range(count), _cores(), strict=False):
        command = [sys.executable, "-m", "benchmarks.alone", "jobs.yaml", str(output), str(first), str(count)]
        process = subprocess.Popen(
            command, cwd=scratch, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        os.sched_setaffinity(process.pid, {core})
        started.append(process)
    codes = [process.wait() for process in started]
    if any(codes):
        sys.exit(f"{count} processes: exit codes {codes}")


def batch(scratch: Path, output: Path, workers: int) -> None:
    """Have the command do all jobs, a core for each worker; ends the program if it fails.

    A worker that finds a second core free takes it, so that one worker would be no measure of one core.
    """
    cores = _cores()[:workers]
    command = [sys.executable, "-m", "job", "--workers", str(workers), "--output-dir", str(output)]
    done = subprocess.run(
        command,
        cwd=scratch,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )
    if done.returncode != 0:
        sys.exit(f"--workers {workers}: exit code {done.returncode}\n{done.stdout}\n{done.stderr}")


def _environment() -> dict[str, str]:
    return {**os.environ, **VARIABLES, "PYTHONPATH": str(Path(__file__).parent.parent)}


def _cores() -> list[int]:
    return sorted(os.sched_getaffinity(0))


def print_speedups(seconds: dict[str, float], console: Console) -> None:
    """Print the medians, both speed-ups, and their ratio against the target."""
    ceiling = seconds["1 process"] / seconds["2 processes"]
    reached = seconds["--workers 1"] / seconds["--workers 2"]
    table = Table(box=box.SIMPLE, title=f"{JOBS} equal jobs", title_justify="left")
    for heading in ("", "one, s", "two, s", "speed-up"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, (one, two), ratio in (
        ("independent, pinned processes", ("1 process", "2 processes"), ceiling),
        ("workers of a batch", ("--workers 1", "--workers 2"), reached),
    ):
        table.add_row(name, f"{seconds[one]:.1f}", f"{seconds[two]:.1f}", f"{ratio:.2f}")
    console.print(table)
    verdict = "met" if reached / ceiling >= TARGET else "MISSED"
    console.print(f"{verdict}  ratio {reached / ceiling:.2f}, target at least {TARGET}", highlight=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.workers", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="runs of each (default: 3)")
    return parser


if __name__ == "__main__":
    main()
