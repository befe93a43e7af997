"""The table on the terminal and the JSON file."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.comparison import Outcome, Run, Summary
from benchmarks.shapes import Shape

_VERSIONS = ("seq2seq-job", "tensorflow", "keras", "numpy")
_MEGABYTE = 1_000_000


def print_report(
    shape: Shape, summaries: Sequence[Summary], outcomes: Sequence[Outcome], console: Console
) -> None:
    """Print the medians, then each target with the ratio that was measured and met or MISSED."""
    runs = summaries[0].runs
    table = Table(title=f"{shape.name}: medians of {runs}", box=box.SIMPLE, title_justify="left")
    for heading in ("", "wall s", "tree MB", "process MB", "accuracy"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for summary in summaries:
        table.add_row(
            summary.contender,
            f"{summary.wall_seconds:.2f}",
            f"{summary.peak_tree_rss_bytes / _MEGABYTE:.0f}",
            f"{summary.peak_process_rss_bytes / _MEGABYTE:.0f}",
            f"{summary.sequence_accuracy:.4f}",
        )
    console.print(table)
    console.print(
        "Peak memory: summed over the process tree, and of its largest process. Accuracy: of sequences.\n"
    )
    for outcome in outcomes:
        target = outcome.target
        console.print(
            f"{'met   ' if outcome.met else 'MISSED'}  {target.figure} over {target.peer}: "
            f"{outcome.ratio:.3f}, target at most {target.limit:.3f}",
            highlight=False,
        )


def as_json(
    shape: Shape, runs: Sequence[Run], summaries: Sequence[Summary], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """Return all that was measured, and on what."""
    return {
        "schema_version": 1,
        "shape": asdict(shape),
        "machine": {
            "platform": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        },
        "versions": {
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in _VERSIONS},
        },
        "medians": [asdict(summary) for summary in summaries],
        "targets": [
            {**asdict(outcome.target), "ratio": outcome.ratio, "met": outcome.met} for outcome in outcomes
        ],
        "runs": [asdict(run) for run in runs],
    }


def _processor() -> str:
    match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match.group(1) if match else platform.machine()
