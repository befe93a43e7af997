"""What a command costs, from its start to its end: wall time, and peak memory of its whole process tree."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

POLL_SECONDS = 0.05
"""One reading takes about 2 ms of one core, which is then not the command's."""

_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one run of a command took.

    Attributes:
        wall_seconds: from its start until it had ended.
        peak_tree_rss_bytes: the most resident memory that its processes held at one time, summed over them
            and read every `POLL_SECONDS`; pages that two of them share count twice. Never less than the next.
        peak_process_rss_bytes: the most that any one of its processes held, as the kernel kept it.
    """

    exit_code: int
    wall_seconds: float
    peak_tree_rss_bytes: int
    peak_process_rss_bytes: int


def measure(
    command: list[str], output: Path, errors: Path, variables: Mapping[str, str] | None = None
) -> Cost:
    """Run a command to its end. Linux only: memory is read from `/proc`.

    Args:
        command: the program and its arguments.
        variables: added to the environment.
        output: takes what it prints on standard output.
        errors: takes what it prints on standard error.
    """
    with output.open("wb") as out, errors.open("wb") as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env={**os.environ, **(variables or {})},
        )
    family = {process.pid}
    peak = 0
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        if ended:
            break
        peak = max(peak, _tree_rss(family))
        time.sleep(POLL_SECONDS)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)  # it has been waited for here, not by Popen
    largest = usage.ru_maxrss * 1024
    return Cost(
        exit_code=process.returncode,
        wall_seconds=wall,
        peak_tree_rss_bytes=max(peak, largest),
        peak_process_rss_bytes=largest,
    )


def _tree_rss(family: set[int]) -> int:
    """Return the resident bytes of a family of processes; children that are new join the family.

    A process whose parent has left stays in the family, so that no worker is lost.
    """
    parents: dict[int, int] = {}
    resident: dict[int, int] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdecimal():
            try:
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            parents[int(entry.name)] = int(fields[1])
            resident[int(entry.name)] = int(fields[21]) * _PAGE
    found = {pid for pid, parent in parents.items() if parent in family} - family
    while found:
        family |= found
        found = {pid for pid, parent in parents.items() if parent in found} - family
    family &= resident.keys()
    return sum(resident[pid] for pid in family)
