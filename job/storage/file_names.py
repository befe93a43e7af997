"""Names that become paths: a plan, a result and a report may have those that a spec may have, no others."""

from __future__ import annotations

import re

JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""A job's name, which is also that of its directory."""

_NAME = re.compile(JOB_NAME.removesuffix("$"))
_SHOWN = 60


def check_job_name(name: str) -> str:
    """Return the name of a job, if a spec could have it.

    Raises:
        ValueError: it could not, for instance `../x`; one clause.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:_SHOWN]!r} is not a job's name")
    return name


def short_fingerprint(digest: str) -> str:
    """Return the first 8 characters of a fingerprint or checksum, for file names and messages."""
    return digest[:8]


def check_inner_path(path: str) -> str:
    """Return the path of a file, if it leads into the directory that it starts from.

    Raises:
        ValueError: it is absolute, leads upwards or is not in its shortest form; one clause.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or not path.isprintable() or "\\" in path:
        raise ValueError(f"{path[:_SHOWN]!r} is not the path of a file below the job's directory")
    return path
