"""What changed besides the metrics, as lines of text: for reports, `compare` and `trend`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from job.results.comparison_records import ChangedSetting, Comparison, Setting
from job.storage.file_names import short_fingerprint

MAX_CHANGES = 20
"""Maximum number of changes that a text lists; JSON has all of them."""
_MAX_NAMES = 3
_MAX_VALUE = 60
_COMMIT = 12

NOTHING_CHANGED = "no change is recorded of spec, seed, data, versions, machine or commit"


def comparison_changes(comparison: Comparison) -> Iterator[str]:
    """Yield a line for each change between a batch and its baseline, then the commits between the two."""
    recorded = {job.name: job.changes for job in comparison.jobs if job.changes is not None}
    if not recorded:
        return
    lines = [*change_lines(recorded)]
    yield from lines or [NOTHING_CHANGED]
    yield from commit_lines(comparison.commits, comparison.commit_count)


def change_lines(changes: Mapping[str, Sequence[ChangedSetting]]) -> Iterator[str]:
    """Yield a line for each different change, such as `training.epochs 3 -> 1 (g2p)`.

    Args:
        changes: by job name. A change that all of them have in common is written without their names.
    """
    jobs: dict[ChangedSetting, list[str]] = {}
    for name, settings in changes.items():
        for setting in settings:
            jobs.setdefault(setting, []).append(name)
    for setting, names in [*jobs.items()][:MAX_CHANGES]:
        yield change_text(setting) + ("" if len(names) == len(changes) else f" ({_listed(names)})")
    if len(jobs) > MAX_CHANGES:
        yield f"{len(jobs) - MAX_CHANGES:,} more changes are in the JSON"


def commit_lines(commits: Sequence[str], count: int) -> Iterator[str]:
    """Yield how many commits are between the two sides, and a line for each that is known."""
    if count:
        yield f"{count:,} commit{'' if count == 1 else 's'} between the two, the newest first:"
        yield from commits
    if count > len(commits):
        yield f"and {count - len(commits):,} earlier ones"


def change_text(change: ChangedSetting) -> str:
    """Return a change as `key before -> after`."""
    return f"{change.key} {_value(change.key, change.before)} -> {_value(change.key, change.after)}"


def _value(key: str, value: Setting) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    if key.startswith("data.files."):
        return short_fingerprint(text)
    if key == "git_commit":
        return text[:_COMMIT]
    return text if len(text) <= _MAX_VALUE else f"{text[:_MAX_VALUE]}..."


def _listed(names: Sequence[str]) -> str:
    rest = len(names) - _MAX_NAMES
    return ", ".join(names[:_MAX_NAMES]) + (f" and {rest:,} more" if rest > 0 else "")
