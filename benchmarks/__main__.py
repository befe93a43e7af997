"""`python -m benchmarks`: start the contenders as commands, in turn, and compare them.

A target that is missed is printed as MISSED and does not change the exit code: timings on a busy machine are
not a test. A contender that fails does.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from benchmarks.comparison import hold
from benchmarks.guard import print_changes, reference_file
from benchmarks.part_table import PARTS
from benchmarks.parts import THREADS, Session, say
from benchmarks.report import as_json, print_report, write_plot
from benchmarks.targets import TARGETS

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Measure the parts that were asked for; what is done is on disk after each."""
    arguments = _parser().parse_args()
    os.chdir(ROOT)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:THREADS])  # for all that is started from here
    spec = yaml.safe_load(Path("jobs.yaml").read_text(encoding="utf-8"))
    # Untimed: bring the libraries into the page cache, so that the first contender does not pay for all.
    subprocess.run([sys.executable, "-c", "import keras"], check=True, capture_output=True)
    failed = []
    parts: dict[str, Any] = {}
    record: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as directory:
        runs = 1 if arguments.quick else arguments.runs
        session = Session(spec=spec, scratch=Path(directory), runs=runs, quick=arguments.quick)
        for name in [part for part in PARTS if part in (arguments.only or PARTS)]:
            say(name)
            try:
                parts[name] = PARTS[name](session)
            except Exception:  # the other parts are still to be measured
                failed.append(f"{name}:\n{traceback.format_exc()}")
            record = write(parts, arguments.output, quick=arguments.quick)
    console = Console(width=None if sys.stdout.isatty() else 110)
    print_report(parts, hold(TARGETS, parts), console)
    if not arguments.quick:
        print_changes(record, console)
    if arguments.save_reference and not failed:
        save_reference(record)
    print(f"figures: {arguments.output}, plot: {arguments.output.with_suffix('.svg')}")
    if failed:
        sys.exit("\n".join(failed))


def write(parts: dict[str, Any], output: Path, *, quick: bool) -> dict[str, Any]:
    """Write the figures that there are, and the plot beside them; return what the file has."""
    output.parent.mkdir(parents=True, exist_ok=True)
    record = as_json(parts, hold(TARGETS, parts), quick=quick)
    output.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    write_plot(parts, output.with_suffix(".svg"))
    return record


def save_reference(record: dict[str, Any]) -> None:
    """Write a result as that of this kind of machine, for later ones to be compared with.

    The operating system is left out: it does not make another kind of machine.
    """
    file = reference_file(record["machine"])
    record = {**record, "machine": {k: v for k, v in record["machine"].items() if k != "platform"}}
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"reference: {file.relative_to(ROOT)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=_positive, default=3, metavar="N", help="runs of each (default: 3)")
    parser.add_argument(
        "--only", action="append", choices=list(PARTS), help="measure this part; may be given several times"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one run of a fraction of the work: does it work?"
    )
    parser.add_argument(
        "--save-reference",
        action="store_true",
        help="keep this result as that of this kind of machine, for later ones to be compared with",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=ROOT / "benchmarks" / "results" / "latest.json",
        metavar="FILE",
        help="the JSON file to write, and the plot beside it (default: benchmarks/results/latest.json)",
    )
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a number from 1")
    return int(text)


if __name__ == "__main__":
    main()
