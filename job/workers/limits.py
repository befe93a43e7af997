"""The cores, memory and GPUs that this process may use, and the number of workers for them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

WORKER_BYTES = 1 << 30
"""Memory assumed for a worker with a small model; TensorFlow alone takes half of it."""

MAX_RESIDENT_BYTES = 3 << 29
"""A worker with more resident memory than this (1.5 GiB) after a job is replaced, because TensorFlow's memory
grows over many models in one process (tensorflow#61791)."""

MAX_THREADS = 2
"""Maximum number of threads of a worker: a training step is computed in two halves."""

UNLIMITED_BYTES = 1 << 60
"""Limits of this size or more mean no limit: cgroup v1 writes 'no limit' as a number near 2**63."""


@dataclass(frozen=True)
class Limits:
    """The resources that this process may use.

    Args:
        cores: Number of cores that it may run on.
        cpu_quota: CPU time per second that its control groups allow, in cores; None for no limit.
        memory_bytes: Memory that it can still allocate, limited by the available memory and by its control
            groups; None if unknown.
        gpus: Names of its GPUs, as in CUDA_VISIBLE_DEVICES.
    """

    cores: int
    cpu_quota: float | None
    memory_bytes: int | None
    gpus: tuple[str, ...] = ()

    @property
    def whole_cores(self) -> int:
        """Number of cores that may be used fully; at least 1."""
        quota = math.inf if self.cpu_quota is None else self.cpu_quota
        return max(1, int(min(self.cores, quota)))


def worker_count(limits: Limits) -> int:
    """Return the number of workers for `--workers auto`; at least 1.

    There is one worker for each GPU; without GPUs one for each core that may be used fully, as far as memory
    allows.
    """
    if limits.gpus:
        return len(limits.gpus)
    room = [limits.whole_cores]
    if limits.memory_bytes is not None:
        room.append(limits.memory_bytes // WORKER_BYTES)
    return max(1, min(room))


def thread_count(cores: int, workers: int) -> int:
    """Return the number of operations that each of several workers may run at the same time."""
    return max(1, min(MAX_THREADS, cores // max(1, workers)))


def device_variables(gpus: Sequence[str], worker: int) -> dict[str, str]:
    """Return the environment variables that show a worker only its own GPU; empty without GPUs.

    If there are more workers than GPUs, several share one, so none may allocate all of its memory in advance.

    Args:
        gpus: Names of the GPUs.
        worker: Number of the worker, from 0.
    """
    if not gpus:
        return {}
    return {"CUDA_VISIBLE_DEVICES": gpus[worker % len(gpus)], "TF_FORCE_GPU_ALLOW_GROWTH": "true"}


def read_limits(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> Limits:
    """Read the limits of this process from the system; an unknown limit counts as none.

    Args:
        root: Directory with `proc`, `sys` and `dev`.
        environment: Variables that may include CUDA_VISIBLE_DEVICES.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    groups = _text(root / "proc/self/cgroup")
    quotas = [q for q in (quota(files) for files in group_files(root, groups, "cpu")) if q is not None]
    limits = [b for b in (memory(files) for files in group_files(root, groups, "memory")) if b is not None]
    available = available_bytes(_text(root / "proc/meminfo"))
    return Limits(
        cores=len(affinity(0)) if affinity else os.cpu_count() or 1,
        cpu_quota=min(quotas, default=None),
        memory_bytes=min([*limits, *([] if available is None else [available])], default=None),
        gpus=visible_gpus(environment.get("CUDA_VISIBLE_DEVICES"), _names(root / "dev")),
    )


# --- control groups -----------------------------------------------------------------------------------------


def group_directories(groups: str, controller: str) -> tuple[str, ...]:
    """Return the directories of this process's control groups below `sys/fs/cgroup`, innermost first.

    Args:
        groups: `/proc/self/cgroup`: a line `0::/path` for v2, `3:cpu,cpuacct:/path` for v1.
        controller: `cpu` or `memory`.

    The limits of all parent groups apply too. In a container the path is often that of the host, and the
    files are in the top directory.
    """
    found: dict[str, None] = {}
    for line in groups.splitlines():
        number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if number == "0" and not names:
            base = PurePosixPath()
        elif controller in names.split(","):
            base = PurePosixPath(controller)
        else:
            continue
        inner = PurePosixPath(path.lstrip("/"))
        if ".." not in inner.parts:  # a group outside of this namespace
            found.update({str(base / above): None for above in (inner, *inner.parents)})
        found[str(base)] = None
    return tuple(found)


def group_files(root: Path, groups: str, controller: str) -> Iterator[dict[str, str]]:
    """Yield the limit files of each control group of this process, content by file name."""
    names = {
        "cpu": ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"),
        "memory": ("memory.max", "memory.limit_in_bytes"),
    }
    for directory in group_directories(groups, controller):
        folder = root / "sys/fs/cgroup" / directory
        texts = {name: _text(folder / name) for name in names[controller]}
        yield {name: text for name, text in texts.items() if text}


def quota(files: Mapping[str, str]) -> float | None:
    """Return the CPU time per second that a control group allows, in cores; None for no limit.

    Args:
        files: `cpu.max` (v2: quota and period in microseconds), or `cpu.cfs_quota_us` and
            `cpu.cfs_period_us` (v1).
    """
    words = files.get("cpu.max", "").split()
    if not words:
        words = [files.get("cpu.cfs_quota_us", "").strip(), files.get("cpu.cfs_period_us", "").strip()]
    if len(words) == 1:
        words.append("100000")  # the kernel's default period
    allowed, period = words
    if not (allowed.isdecimal() and period.isdecimal() and int(period)):  # `max`, -1
        return None
    return int(allowed) / int(period)


def memory(files: Mapping[str, str]) -> int | None:
    """Return the memory that a control group allows, in bytes; None for no limit.

    Args:
        files: `memory.max` (v2) or `memory.limit_in_bytes` (v1).
    """
    text = (files.get("memory.max") or files.get("memory.limit_in_bytes", "")).strip()
    return int(text) if text.isdecimal() and int(text) < UNLIMITED_BYTES else None


# --- the machine --------------------------------------------------------------------------------------------


def available_bytes(meminfo: str) -> int | None:
    """Return the memory in bytes that is available without swapping, from the text of `/proc/meminfo`."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def visible_gpus(variable: str | None, devices: Sequence[str]) -> tuple[str, ...]:
    """Return CUDA's name of each GPU that this process may use.

    Args:
        variable: Value of CUDA_VISIBLE_DEVICES: indices or UUIDs; CUDA ignores those after an invalid one.
        devices: File names in `/dev`; CUDA numbers the existing `nvidia<N>` from 0.
    """
    if variable is None:
        return tuple(map(str, range(sum(bool(re.fullmatch(r"nvidia\d+", name)) for name in devices))))
    gpus: list[str] = []
    for name in map(str.strip, variable.split(",")):
        if not re.fullmatch(r"\d+|(GPU|MIG)-\S+", name):
            break
        gpus.append(name)
    return tuple(gpus)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""


def _names(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(os.listdir(folder))
    except OSError:
        return ()
