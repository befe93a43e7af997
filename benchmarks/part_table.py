"""All parts of `make bench`, in their order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.parts import Session, commands, examples, jobs, pair, peers, series, tutorial
from benchmarks.two_workers import two_workers
from benchmarks.yoyodyne import yoyodyne

PARTS: dict[str, Callable[[Session], dict[str, Any]]] = {
    "tutorial": tutorial,
    "peers": peers,
    "yoyodyne": yoyodyne,
    "pair": pair,
    "series": series,
    "examples": examples,
    "jobs": jobs,
    "two_workers": two_workers,
    "commands": commands,
}
