"""What differs between a job and its baseline besides the metrics: spec, data, versions, machine, commit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from job.gating.speed_comparison import MACHINE
from job.results.comparison_records import ChangedSetting, Setting
from job.results.job_result import JobResult
from job.spec.schema import JobSpec

_SIZES = ("pairs.train", "pairs.validation", "pairs.test", "rows.train", "rows.validation", "rows.test")
"""Sizes of the data in a problem's description."""

Settings = dict[str, Setting]
"""Dotted key -> value."""


def changed_settings(before: JobResult, now: JobResult) -> tuple[ChangedSetting, ...]:
    """Return what differs between two results of a job, in the order in which a reader looks for a cause.

    A key that only one side has is None on the other. What is known of one side alone because the other did
    not finish, or was recorded by an earlier version, is left out.

    Args:
        before, now: results of the baseline and of the candidate.
    """
    return (
        *_differences(_spec_settings(before), _spec_settings(now)),
        *_differences(*_data_settings(before, now)),
        *_differences(*_known_to_both("versions", _versions(before), _versions(now))),
        *_differences(*_known_to_both("machine", _machine(before), _machine(now))),
        *_differences(*_known_to_both("", _commit(before), _commit(now))),
    )


def _differences(before: Settings, now: Settings) -> Iterator[ChangedSetting]:
    for key in {**before, **now}:
        was, found = before.get(key), now.get(key)
        if was != found or isinstance(was, bool) is not isinstance(found, bool):
            yield ChangedSetting(key, was, found)


def _spec_settings(result: JobResult) -> Settings:
    """Return the keys of a job's spec; keys that its version did not have yet have their defaults."""
    try:
        spec = JobSpec.read_recorded(result.spec).model_dump(mode="json")
    except ValidationError:  # of another version, or of no version
        spec = result.spec
    return {key: value for key, value in _flat(spec, "") if key != "name"}


def _flat(value: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Setting]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _flat(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _setting(inner)


def _setting(value: Any) -> Setting:
    """Return a JSON value as one setting: a list or a mapping as its JSON text."""
    return value if value is None or isinstance(value, (str, int, float)) else json.dumps(value)


def _data_settings(before: JobResult, now: JobResult) -> tuple[Settings, Settings]:
    """Return checksums and sizes of the data of two finished jobs."""
    if not (before.finished and now.finished):
        return {}, {}
    was, found = (
        {key: value for key, value in _flat(result.data.problem, "data.") if _is_of_data(key)}
        for result in (before, now)
    )
    return was, found


def _is_of_data(key: str) -> bool:
    return key.startswith("data.files.") or key.removeprefix("data.") in _SIZES


def _versions(result: JobResult) -> Mapping[str, Any]:
    versions: Mapping[str, Any] = result.environment.get("versions", {})
    return versions


def _machine(result: JobResult) -> Mapping[str, Any]:
    return {key: result.environment.get(key) for key in MACHINE}


def _commit(result: JobResult) -> Mapping[str, Any]:
    return {key: result.environment.get(key) for key in ("git_commit", "git_dirty")}


def _known_to_both(
    prefix: str, before: Mapping[str, Any], now: Mapping[str, Any]
) -> tuple[Settings, Settings]:
    """Return the settings that are known on both sides, below a prefix."""
    keys = [key for key in now if now[key] is not None and before.get(key) is not None]
    was, found = (
        {f"{prefix}.{key}" if prefix else key: _setting(side[key]) for key in keys} for side in (before, now)
    )
    return was, found
