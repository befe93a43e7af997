"""The keys in which the jobs of one batch differ from each other."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from job.spec.schema import JobSpec

MAX_SHOWN = 3
"""Number of keys that the short form names."""

_NAMING = ("name", "seeds", "gate")
"""Keys that do not tell how a job is computed."""


def job_differences(jobs: Sequence[JobSpec]) -> dict[str, dict[str, Any]]:
    """Return the keys in which a job differs from others of its kind, by the names of the jobs.

    Jobs are of one kind if they have the same kind of problem and architecture: others differ in nearly all.

    Args:
        jobs: the resolved jobs of a batch.

    Returns:
        job name -> dotted key -> its value; empty for a job that is alone of its kind.
    """
    kinds: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for job in jobs:
        spec = {key: value for key, value in job.model_dump(mode="json").items() if key not in _NAMING}
        kinds[job.problem.kind, job.model.architecture][job.name] = dict(_values(spec, ""))
    found = {name: different for specs in kinds.values() for name, different in _different(specs).items()}
    return {job.name: found[job.name] for job in jobs}


def short_differences(differences: Mapping[str, Any]) -> str:
    """Return the keys in which a job differs in a few words: `units 64, decoder beam`."""
    parts = [f"{key.rpartition('.')[2]} {_text(value)}" for key, value in differences.items()]
    return ", ".join([*parts[:MAX_SHOWN], *(["…"] if len(parts) > MAX_SHOWN else [])])


def _values(spec: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in spec.items():
        if isinstance(value, Mapping):
            yield from _values(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _different(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    keys = dict.fromkeys(key for spec in specs.values() for key in spec)
    varied = [key for key in keys if len({_text(spec.get(key)) for spec in specs.values()}) > 1]
    return {name: {key: spec.get(key) for key in varied} for name, spec in specs.items()}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
