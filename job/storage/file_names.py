"""Valid names of jobs and files in plans, results and reports, which become paths."""

from __future__ import annotations

import hashlib
import re

JOB_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
"""A valid job name, which is also the name of the job directory."""

MAX_JOB_NAME = 100
"""Maximum length of a job's name, in characters."""
_KEPT = 70

_NAME = re.compile(JOB_NAME.removesuffix("$"))
_SHOWN = 60


def check_job_name(name: str) -> str:
    """Return a job name if it is valid.

    Raises:
        ValueError: it is not, for example `../x`; the text is one clause.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:_SHOWN]!r} is not a valid job name")
    return name


def short_job_name(name: str, room: int = 0) -> str:
    """Return a name with at most `MAX_JOB_NAME` characters, for a job whose name may be longer.

    Args:
        name: the whole name.
        room: number of characters that will be appended to the name.

    Returns:
        The name itself if it fits, else its first 70 characters, a dash and the first 8 hex digits of its
        SHA-256, so that the same name is shortened in the same way everywhere.
    """
    if len(name) + room <= MAX_JOB_NAME:
        return name
    return f"{name[:_KEPT]}-{short_fingerprint(hashlib.sha256(name.encode()).hexdigest())}"


def short_fingerprint(digest: str) -> str:
    """Return the first 8 characters of a fingerprint or checksum, for file names and messages."""
    return digest[:8]


def check_inner_path(path: str) -> str:
    """Return a relative path if it stays inside the job directory.

    Raises:
        ValueError: it is absolute, leads upwards or is not in its shortest form; the text is one clause.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") for part in parts) or not path.isprintable() or "\\" in path:
        raise ValueError(f"{path[:_SHOWN]!r} is not the path of a file in the job directory")
    return path
