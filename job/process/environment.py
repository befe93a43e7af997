"""The environment that a result records: versions, platform, processor, devices and commit."""

from __future__ import annotations

import os
import platform
import re
from functools import cache
from pathlib import Path
from typing import Any

import job
from job.process.installed_versions import installed

_RECORDED = ("keras", "numpy", "pydantic", "h5py", "ml-dtypes")
"""Packages whose versions are recorded besides those of this package, Python and TensorFlow."""


def describe(devices: list[str], commit: str | None, dirty: bool | None = None) -> dict[str, Any]:
    """Return the `environment` of a result.

    Args:
        devices: Names of the devices that TensorFlow can use.
        commit: Git commit of the spec; see `git.git_commit`.
        dirty: Whether tracked files differ from the commit; see `git.git_dirty`.
    """
    return {
        "versions": {
            "seq2seq-job": job.__version__,
            "python": platform.python_version(),
            **_package_versions(),
        },
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "devices": devices,
        "git_commit": commit,
        "git_dirty": dirty,
    }


@cache
def _package_versions() -> dict[str, str | None]:
    """Return the recorded versions; to look for them takes 10 ms, and they stay as they are."""
    return {name: installed(name) for name in ("tensorflow", *_RECORDED)}


def _processor() -> str:
    try:
        match = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        match = None
    return match.group(1) if match else platform.processor() or platform.machine()
