"""`python -m benchmarks.nightly nights`: a series of nightly runs with a regression, for `trend` to find.

Each night the command runs two small jobs with a seed of that night's own. From one night on, one of them has
fewer training examples, as after a change that loses some of the data. Then `seq2seq-job trend` reads the
series; the exit code is 1 unless it names that very night.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SPEC = """\
version: 1
seed: {night}
defaults:
  model: {{units: 48}}
  training: {{batch_size: 64}}
  evaluation: {{examples: 2000, validation_examples: 200}}
jobs:
  - name: prefix
    problem: {{kind: reversed_prefix, source_length: 5, target_length: 3, cardinality: 11}}
    training: {{examples: {examples}}}
  - name: copies
    problem: {{kind: copy, source_length: 3, cardinality: 11}}
    training: {{examples: 16000}}
"""


def main() -> None:
    """Run the nights that have no report yet, then look at the trend."""
    arguments = _parser().parse_args()
    for night in range(1, arguments.nights + 1):
        fewer = night >= arguments.regression
        run(arguments.directory / f"{night:03d}", night, arguments.fewer if fewer else arguments.examples)
    trend = [sys.executable, "-m", "job", "trend", str(arguments.directory)]
    done = subprocess.run(trend, check=True, capture_output=True, text=True)
    print(done.stdout)
    expected = f"first bad run: {arguments.regression} of {arguments.nights}"
    sys.exit(0 if expected in done.stdout else f"expected {expected!r}")


def run(directory: Path, night: int, examples: int) -> None:
    """Run one night's batch, if it has no report yet."""
    if (directory / "report.json").exists():
        return
    directory.mkdir(parents=True, exist_ok=True)
    spec = directory / "jobs.yaml"
    spec.write_text(SPEC.format(night=night, examples=examples), encoding="utf-8")
    command = [sys.executable, "-m", "job", "--spec", str(spec), "--output-dir", str(directory)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"night {night}: {examples:,} examples", file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.nightly", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("directory", type=Path, help="where each night gets a directory of its own")
    parser.add_argument("--nights", type=int, default=20, help="how many (default: 20)")
    parser.add_argument("--regression", type=int, default=13, help="the first bad night (default: 13)")
    parser.add_argument("--examples", type=int, default=24_000, help="of a good night (default: 24,000)")
    parser.add_argument("--fewer", type=int, default=18_000, help="of a bad night (default: 18,000)")
    return parser


if __name__ == "__main__":
    main()
