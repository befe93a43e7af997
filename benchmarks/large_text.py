"""Memory and seconds of a job with many pairs of text: `python -m benchmarks.large_text PAIRS`.

Writes PAIRS lines of about 8 characters a side, runs a job of a few hundred steps on them in a new output
directory, and samples the memory of all its processes. A second run reuses the cache of tokenized pairs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

SAMPLE_SECONDS = 0.2
LETTERS = "abcdefghijklmnopqrstuvwxyz"

SPEC = """\
version: 1
jobs:
  - name: large
    problem: {{kind: text_pairs, data: {{file: pairs.tsv}}, split: {{validation: 0.01, test: 0.01}}}}
    model: {{units: 64, inputs: embedding, embedding_size: 32}}
    training: {{examples: {examples}, {batches}, optimizer: {{learning_rate: 0.001}}}}
    evaluation: {{examples: 1000, validation_examples: 1000}}
"""


def write_pairs(path: Path, count: int) -> None:
    """Write `count` pairs: random letters, and the same letters in reverse order."""
    generator = random.Random(7)
    with path.open("w") as file:
        for _ in range(count):
            word = "".join(generator.choices(LETTERS, k=generator.randint(5, 11)))
            file.write(f"{word}\t{word[::-1]}\n")


def descendants(root: int) -> Iterable[int]:
    """Return the ids of a process and of all its descendants."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
    found = {root}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def memory(process: int) -> tuple[int, int]:
    """Return the peak of a process's RSS until now, and its PSS, in bytes.

    Pages that processes share count once in the sum of PSS.
    """
    values = {"VmHWM": 0, "Pss": 0}
    for file in ("status", "smaps_rollup"):
        try:
            text = Path(f"/proc/{process}/{file}").read_text()
        except OSError:  # it has just ended
            continue
        for line in text.splitlines():
            name, _, rest = line.partition(":")
            if name in values:
                values[name] = int(rest.split()[0]) * 1024
    return values["VmHWM"], values["Pss"]


def measure(directory: Path) -> dict[str, float]:
    """Run the job; return its seconds and the peaks of memory in MB, of one process and of all."""
    began = time.monotonic()
    command = [sys.executable, "-m", "job", "--spec", "jobs.yaml", "--output-dir", "output"]
    path = str(Path(__file__).parents[1])
    peaks = {"largest_rss": 0, "sum_pss": 0}
    planned, environment = 0.0, {**os.environ, "PYTHONPATH": path}
    with (
        (directory / "run.log").open("w") as log,
        subprocess.Popen(command, cwd=directory, stdout=log, stderr=log, env=environment) as process,
    ):
        while process.poll() is None:
            found = [memory(one) for one in descendants(process.pid)]
            peaks["largest_rss"] = max(peaks["largest_rss"], *(rss for rss, _ in found))
            peaks["sum_pss"] = max(peaks["sum_pss"], sum(pss for _, pss in found))
            if not planned and (directory / "output/plan.json").exists():
                planned = time.monotonic() - began
            time.sleep(SAMPLE_SECONDS)
    if process.returncode not in (0, 3):
        raise SystemExit((directory / "run.log").read_text())
    result = json.loads((directory / "output/jobs/large/result.json").read_text())
    return {
        "exit_code": process.returncode,
        "seconds": round(time.monotonic() - began, 1),
        "seconds_until_planned": round(planned, 1),
        "data_seconds_of_worker": result["timings"]["data_seconds"],
        "steps": result["data"]["steps"],
        "pairs": result["data"]["problem"]["pairs"]["read"],
        **{f"{name}_mb": round(value / 1e6) for name, value in peaks.items()},
    }


def main() -> None:
    """Print the measurements of a run that tokenizes the pairs, and of one that reuses them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=int)
    parser.add_argument("--examples", default="32000", help="training.examples; `all` trains on all pairs")
    parser.add_argument("--batches", default="batch_size: 128")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        write_pairs(directory / "pairs.tsv", arguments.pairs)
        spec = SPEC.format(examples=arguments.examples, batches=arguments.batches)
        for attempt in ("tokenized", "cached"):
            (directory / "jobs.yaml").write_text(spec + ("    seed: 8\n" if attempt == "cached" else ""))
            (directory / "output/plan.json").unlink(missing_ok=True)
            print(json.dumps({"run": attempt, **measure(directory)}), flush=True)
        cached = list((directory / "output").glob("cache/*/*"))
        sizes = {"cache_mb": cached, "data_mb": [directory / "pairs.tsv"]}
        print(json.dumps({k: round(sum(path.stat().st_size for path in v) / 1e6) for k, v in sizes.items()}))


if __name__ == "__main__":
    main()
