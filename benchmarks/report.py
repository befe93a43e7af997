"""The tables on the terminal, the JSON file, and the plot."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

import job
from benchmarks.comparison import OWN, Outcome, Parts

_VERSIONS = ("tensorflow", "keras", "numpy")
_ACCURATE = 0.999

Column = tuple[str, Callable[[Mapping[str, Any]], str]]


def _number(figure: str, scale: float = 1.0, form: str = ",.0f") -> Callable[[Mapping[str, Any]], str]:
    """Return how to write a figure of a row; one that was not measured is a dash."""
    return lambda row: "-" if row.get(figure) is None else format(row[figure] / scale, form)


def _seconds_to_accuracy(row: Mapping[str, Any]) -> str:
    """Write the wall time of a run that learned its task; of one that did not, nothing."""
    return f"{row['wall_seconds']:.1f}" if row["sequence_accuracy"] >= _ACCURATE else "not reached"


_WHOLE: tuple[Column, ...] = (
    ("wall s", _number("wall_seconds", form=".1f")),
    ("tree MB", _number("peak_tree_rss_bytes", 1e6)),
    ("process MB", _number("peak_process_rss_bytes", 1e6)),
    ("accuracy", _number("sequence_accuracy", form=".4f")),
)
_PEERS: tuple[Column, ...] = (
    ("fit s", _number("fit_seconds", form=".1f")),
    ("per 100,000", lambda row: f"{row['fit_seconds'] * 1e5 / row['examples']:.0f}"),
    ("examples/s", _number("examples_per_second")),
    ("greedy/s", _number("greedy_per_second")),
    ("beam 4/s", _number("beam_per_second")),
    ("MB", _number("peak_tree_rss_bytes", 1e6)),
    ("wall s", _number("wall_seconds", form=".1f")),
)
_PAIR: tuple[Column, ...] = (
    ("examples/s", _number("examples_per_second")),
    ("wall s", _number("wall_seconds", form=".1f")),
)
_PEERS_NOTE = """\
fit: from the first step's start to the last one's end, compiling included; per 100,000: the same, scaled to
100,000 examples; examples/s: once the first tenth is seen; greedy, beam: sequences a second, once compiled;
MB, wall: of the whole process, for seq2seq-job of the whole command with its report.
"""


def print_report(parts: Parts, outcomes: Sequence[Outcome], console: Console) -> None:
    """Print what was measured, then every target with its figure and met or MISSED."""
    if "tutorial" in parts:
        _print_rows(
            f"tutorial, whole commands: {_runs(parts['tutorial'])}", parts["tutorial"], _WHOLE, console
        )
    for shape, rows in parts.get("peers", {}).items():
        columns = _PEERS
        if shape.startswith("tutorial"):  # the others are not trained for long enough
            columns = (*_PEERS, ("s to 99.9 %", _seconds_to_accuracy))
        number = int(rows[OWN]["examples"])
        _print_rows(f"{shape}, {number:,} examples: {_runs(rows)}", rows, columns, console)
    if "peers" in parts:
        console.print(_PEERS_NOTE, highlight=False)
    if "yoyodyne" in parts:
        title = f"words, whole commands: {_runs(parts['yoyodyne'])}"
        _print_rows(title, parts["yoyodyne"], (*_WHOLE, ("parameters", _number("parameters"))), console)
    if "pair" in parts:
        _print_rows(f"two at once, a thread each: {_runs(parts['pair'])}", parts["pair"], _PAIR, console)
    for title, found, figure in _all_series(parts):
        _print_series(title, found, figure, console)
    if "series" in parts:
        rates = parts["series"]["rates"]
        products, copies = rates["flops"] / 1e9, rates["bytes"] / 1e9
        console.print(
            f"floor: {products:.0f} GFLOP/s of matrix products or {copies:.1f} GB/s of copies, measured just "
            "before, whichever takes longer\n",
            highlight=False,
        )
    if "two_workers" in parts:
        batch = parts["two_workers"]
        console.print(
            f"{batch['jobs']} jobs of {batch['examples_per_job']:,} examples on two workers: "
            f"{batch['wall_seconds']:.1f} s; their steps at the rate of two training processes: "
            f"{batch['ceiling_seconds']:.1f} s\n",
            highlight=False,
        )
    for name, seconds in parts.get("commands", {}).items():
        console.print(f"{name}: {seconds:.2f} s, whole command", highlight=False)
    _print_targets(outcomes, console)


def _runs(rows: Mapping[str, Any]) -> str:
    runs = next(iter(rows.values()))["runs"]
    return "one run" if runs == 1 else f"medians of {runs}"


def _print_rows(title: str, rows: Mapping[str, Any], columns: Sequence[Column], console: Console) -> None:
    console.print(title, highlight=False)
    table = Table(box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for heading, _ in columns:
        table.add_column(heading, justify="right")
    for name, row in rows.items():
        table.add_row(name, *(write(row) for _, write in columns))
    console.print(table)


def _all_series(parts: Parts) -> list[tuple[str, Mapping[str, Any], str]]:
    """Return each series that there is: its title, its points, and the figure that grows."""
    found = []
    for name, of in parts.get("series", {}).items():
        if name != "rates":
            found.append((f"seconds a step by {name}", of, "seconds"))
    for name, of in parts.get("examples", {}).items():
        found.append((f"seconds of training by examples, {name} model", of, "train_seconds"))
    for name, of in parts.get("jobs", {}).items():
        found.append((f"wall seconds by jobs of {name.replace('_', ' ')}, one worker", of, "wall_seconds"))
    return found


def _print_series(title: str, found: Mapping[str, Any], figure: str, console: Console) -> None:
    floor = "floor_slope" in found
    memory = "peak_tree_rss_bytes" in found["points"][0]
    slopes = f"slope {found['slope']:.2f}" + (f", of the floor {found['floor_slope']:.2f}" if floor else "")
    console.print(f"{title}: {slopes}", highlight=False)
    table = Table(box=box.SIMPLE)
    for heading in ("", "s", *(["floor s", "over it"] if floor else []), *(["MB"] if memory else [])):
        table.add_column(heading, justify="right")
    for point in found["points"]:
        row = [f"{point['x']:,}", f"{point[figure]:.4g}"]
        if floor:
            row += [f"{point['floor_seconds']:.4g}", f"{point[figure] / point['floor_seconds']:.1f}"]
        if memory:
            row.append(f"{point['peak_tree_rss_bytes'] / 1e6:.0f}")
        table.add_row(*row)
    console.print(table)


def _print_targets(outcomes: Sequence[Outcome], console: Console) -> None:
    words = {True: "met", False: "MISSED", None: "not measured"}
    console.print("targets")
    table = Table(box=box.SIMPLE)
    for heading, justify in (
        ("", "left"),
        ("", "left"),
        ("figure", "right"),
        ("target", "left"),
        ("", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for outcome in outcomes:
        table.add_row(
            str(outcome.number) if outcome.number else "",
            outcome.text,
            "-" if outcome.value is None else f"{outcome.value:,.3f}",
            f"{'at least' if outcome.at_least else 'at most'} {outcome.bound:,.5g}",
            words[outcome.met],
        )
    console.print(table)


def as_json(parts: Parts, outcomes: Sequence[Outcome], *, quick: bool) -> dict[str, Any]:
    """Return all that was measured, and on what."""
    return {
        "schema_version": 2,
        "quick": quick,
        "machine": {
            "platform": platform.platform(),
            "processor": _processor(),
            "cores": len(os.sched_getaffinity(0)),
            "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        },
        "versions": {
            "seq2seq-job": job.__version__,
            "python": platform.python_version(),
            **{package: metadata.version(package) for package in _VERSIONS},
        },
        "parts": parts,
        "targets": [{**asdict(outcome), "met": outcome.met} for outcome in outcomes],
    }


def _processor() -> str:
    """Return the name, family and model: in a virtual machine the name may be no more than `AMD EPYC`."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    found = [re.search(rf"^{key}\s*:\s*(.+)$", text, re.M) for key in ("model name", "cpu family", "model")]
    if not all(found):
        return platform.machine()
    name, family, model = (match.group(1) for match in found if match)
    return f"{name}, family {family}, model {model}"


def write_plot(parts: Parts, file: Path) -> None:
    """Draw training rates by shape, and each series on logarithmic axes; no file where neither is there."""
    series = _all_series(parts)
    panels = len(series) + ("peers" in parts)
    if not panels:
        return
    from matplotlib.figure import Figure

    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure = Figure(figsize=(4.8 * columns, 3.4 * rows), layout="constrained")
    axes = iter(figure.subplots(rows, columns, squeeze=False).flat)
    if "peers" in parts:
        _draw_peers(next(axes), parts["peers"])
    for title, found, of in series:
        _draw_series(next(axes), title, found, of)
    for unused in axes:
        unused.set_visible(False)
    figure.savefig(file, format="svg")


def _draw_peers(axes: Any, shapes: Mapping[str, Any]) -> None:
    names = list(dict.fromkeys(name for rows in shapes.values() for name in rows))
    width = 0.8 / len(names)
    for i, name in enumerate(names):
        found = [(at, rows[name]) for at, rows in enumerate(shapes.values()) if name in rows]
        rates = [row["examples_per_second"] for _, row in found]
        axes.bar([at + (i - (len(names) - 1) / 2) * width for at, _ in found], rates, width, label=name)
    axes.set_xticks(range(len(shapes)), list(shapes))
    axes.set_yscale("log")
    axes.set_title("training, examples a second", fontsize="medium")
    axes.legend(fontsize="small")


def _draw_series(axes: Any, title: str, found: Mapping[str, Any], figure: str) -> None:
    x = [point["x"] for point in found["points"]]
    axes.loglog(x, [p[figure] for p in found["points"]], "o-", label=f"measured, slope {found['slope']:.2f}")
    if "floor_slope" in found:
        floor = [point["floor_seconds"] for point in found["points"]]
        axes.loglog(x, floor, "--", color="gray", label=f"floor, slope {found['floor_slope']:.2f}")
    axes.set_title(title, fontsize="medium")
    axes.legend(fontsize="small")
