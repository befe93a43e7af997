"""`python -m benchmarks`: start the contenders as commands, in turn, and compare them.

A target that is missed is printed as MISSED and does not change the exit code: timings on a busy machine are
not a test. A contender that fails does.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from rich.console import Console

from benchmarks.comparison import Run, Target, hold, summarise
from benchmarks.contenders import Contender, peer, this_job
from benchmarks.measuring import measure
from benchmarks.report import as_json, print_report
from benchmarks.shapes import from_spec

ROOT = Path(__file__).parent.parent
TARGETS = (
    Target(peer="tutorial's program", figure="wall_seconds", limit=1 / 5),
    Target(peer="tutorial's program", figure="peak_tree_rss_bytes", limit=1 / 2),
)


def main() -> None:
    """Run every contender `--runs` times, alternating, with one seed a round."""
    arguments = _parser().parse_args()
    spec = yaml.safe_load((ROOT / "jobs.yaml").read_text(encoding="utf-8"))
    shape = from_spec(spec, "tutorial")
    contenders = [this_job(spec, shape), peer("tutorial's program", "tutorial_program", shape)]
    # Untimed: bring the libraries into the page cache, so that the first contender does not pay for all.
    subprocess.run([sys.executable, "-c", "import keras"], check=True, capture_output=True)
    runs = [run_once(contender, seed) for seed in range(1, arguments.runs + 1) for contender in contenders]
    summaries = [summarise(contender.name, runs) for contender in contenders]
    outcomes = [hold(target, summaries[0], summaries[1:]) for target in TARGETS]
    print_report(shape, summaries, outcomes, Console())
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    record = as_json(shape, runs, summaries, outcomes)
    arguments.output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"figures: {arguments.output}")


def run_once(contender: Contender, seed: int) -> Run:
    """Run one contender in a directory of its own; ends the program, showing its words, if it fails."""
    with tempfile.TemporaryDirectory() as directory:
        scratch = Path(directory)
        output, errors = scratch / "stdout", scratch / "stderr"
        cost = measure(contender.command(scratch, seed), output, errors)
        if cost.exit_code != 0:
            sys.exit(
                f"{contender.name}, seed {seed}: exit code {cost.exit_code}\n{_tail(output)}\n{_tail(errors)}"
            )
        accuracy = contender.accuracy(scratch, output.read_text(errors="replace"))
    print(
        f"{contender.name}, seed {seed}: {cost.wall_seconds:.2f} s, "
        f"{cost.peak_tree_rss_bytes / 1e6:.0f} MB, accuracy {accuracy:.4f}",
        file=sys.stderr,
        flush=True,
    )
    return Run(contender=contender.name, seed=seed, cost=cost, sequence_accuracy=accuracy)


def _tail(file: Path, lines: int = 20) -> str:
    return "\n".join(file.read_text(errors="replace").splitlines()[-lines:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=_positive, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "benchmarks" / "results" / "latest.json",
        metavar="FILE",
        help="the JSON file to write (default: benchmarks/results/latest.json)",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1")
    return int(text)


if __name__ == "__main__":
    main()
