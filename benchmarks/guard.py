"""What got slower: the ratios to the peers beside those of a checked-in result of the same kind of machine.

Seconds differ from machine to machine and from hour to hour; ratios to programs that ran in turn with the job
differ less.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks.comparison import OWN, Parts

REFERENCES = Path(__file__).with_name("reference")

TOLERANCE = 0.15
"""A ratio that is lower by at most this share is noise: some figures are of one run."""

_RATES = {"examples_per_second": "training", "greedy_per_second": "greedy", "beam_per_second": "beam 4"}
_COSTS = {"wall_seconds": "wall time", "peak_tree_rss_bytes": "memory"}


@dataclass(frozen=True, kw_only=True)
class Change:
    """One ratio, now and in the checked-in result; the larger, the better for the job."""

    name: str
    then: float
    now: float

    @property
    def slower(self) -> bool:
        return self.now < (1 - TOLERANCE) * self.then


def reference_file(machine: Mapping[str, Any]) -> Path:
    """Return where the checked-in result of a kind of machine belongs: its processor and number of cores."""
    kind = re.sub(r"[^a-z0-9]+", "-", str(machine["processor"]).lower()).strip("-")
    return REFERENCES / f"{kind}-{machine['cores']}-cores.json"


def ratios(parts: Parts) -> dict[str, float]:
    """Return the job's figures in relation to each peer's; the larger, the better for the job."""
    tables = {f"peers, {shape}": rows for shape, rows in parts.get("peers", {}).items()}
    tables |= {part: parts[part] for part in ("tutorial", "yoyodyne", "pair") if part in parts}
    found = {}
    for table, rows in tables.items():
        for peer in rows.keys() - {OWN}:
            for figures, inverted in ((_RATES, False), (_COSTS, True)):
                for figure, word in figures.items():
                    own, other = rows[OWN].get(figure), rows[peer].get(figure)
                    if own and other:
                        found[f"{table}: {word}, {peer}"] = other / own if inverted else own / other
    return dict(sorted(found.items()))


def changes(parts: Parts, reference: Parts) -> list[Change]:
    """Return the ratios that both results have, what got slower first."""
    now, then = ratios(parts), ratios(reference)
    found = [Change(name=name, then=then[name], now=now[name]) for name in now.keys() & then.keys()]
    return sorted(found, key=lambda change: (change.now / change.then, change.name))


def print_changes(record: Mapping[str, Any], console: Console) -> None:
    """Print what got slower than in the checked-in result of this kind of machine, or that there is none.

    Args:
        record: what was measured, as in the JSON file.
        console: where to print.
    """
    file = reference_file(record["machine"])
    if not file.exists():
        console.print(
            f"There is no checked-in result of this kind of machine; --save-reference writes {file.name}.",
            highlight=False,
        )
        return
    reference = json.loads(file.read_text(encoding="utf-8"))
    found = changes(record["parts"], reference["parts"])
    slower = [change for change in found if change.slower]
    console.print(
        f"{len(slower)} of {len(found)} ratios to the peers are lower by more than {TOLERANCE:.0%} than in "
        f"{file.name} (seq2seq-job {reference['versions']['seq2seq-job']})",
        highlight=False,
    )
    if slower:
        console.print(_table(slower))


def _table(slower: list[Change]) -> Table:
    table = Table(box=box.SIMPLE)
    table.add_column("slower in relation to the peer")
    for heading in ("then", "now", "change"):
        table.add_column(heading, justify="right")
    for change in slower:
        share = change.now / change.then - 1
        table.add_row(change.name, f"{change.then:.2f}", f"{change.now:.2f}", f"{share:+.0%}")
    return table
