"""Facts about the Git repository of a spec: commit, uncommitted changes, and commits between two revisions.

Git is optional: without it, or outside a repository, functions return None or nothing, and raise no error.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

MAX_COMMITS = 20
"""Maximum number of listed commits."""

_COMMIT_VARIABLES = ("SEQ2SEQ_JOB_GIT_COMMIT", "GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT")
_HASH = re.compile(r"[0-9a-f]{7,64}")
_TIMEOUT_SECONDS = 10


def git_commit(directory: Path) -> str | None:
    """Return the current commit of `directory`, from the variables of CI or from git; None if unknown."""
    for variable in _COMMIT_VARIABLES:
        if os.environ.get(variable):
            return os.environ[variable]
    return _git(directory, "rev-parse", "HEAD")


def git_dirty(directory: Path) -> bool | None:
    """Return whether tracked files of the repository differ from its commit; None if git cannot tell."""
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no")
    return None if changes is None else bool(changes)


def commits_between(directory: Path, before: str | None, after: str | None) -> tuple[list[str], int]:
    """Return the commits that are in the history of one commit and not in that of an earlier one.

    Args:
        directory: Any directory in the repository.
        before, after: Hashes of the earlier and the later commit; None if unknown.

    Returns:
        The short hash and subject of at most `MAX_COMMITS` commits, newest first, and the number of all
        commits. An empty list and 0 if git does not know one of the two commits.
    """
    if before is None or after is None or not (_HASH.fullmatch(before) and _HASH.fullmatch(after)):
        return [], 0
    span = f"{before}..{after}"
    log = ("log", "--oneline", "--no-decorate", "--no-color", f"--max-count={MAX_COMMITS}", span, "--")
    lines, count = _git(directory, *log), _git(directory, "rev-list", "--count", span, "--")
    if not lines or not count:
        return [], 0
    return lines.splitlines(), int(count)


def _git(directory: Path, *arguments: str) -> str | None:
    """Return the output of a git command without the last newline; None if it fails."""
    command = ["git", "-C", str(directory), "-c", "log.showSignature=false", *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_TIMEOUT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
