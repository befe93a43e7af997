"""The keys in which the jobs of one batch differ from each other."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
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
    found = {name: varied for kind in _varied_by_kind(jobs) for name, varied in kind.items()}
    return {job.name: found[job.name] for job in jobs}


def short_differences(jobs: Sequence[JobSpec]) -> dict[str, str]:
    """Return in a few words in what each job differs from others of its kind: `units 64, decoder beam`.

    A value that more than half of the jobs of that kind have is left out: each of six variants of one job is
    described by what was varied in it.

    Args:
        jobs: the resolved jobs of a batch.

    Returns:
        by job name; empty for a job that is alone of its kind or has the usual value of each key.
    """
    found: dict[str, str] = {}
    for kind in _varied_by_kind(jobs):
        counts = Counter((key, _text(value)) for varied in kind.values() for key, value in varied.items())
        for name, varied in kind.items():
            texts = [(key, _text(value)) for key, value in varied.items()]
            parts = [
                f"{key.rpartition('.')[2]} {text}"
                for key, text in texts
                if counts[key, text] * 2 <= len(kind)
            ]
            found[name] = ", ".join([*parts[:MAX_SHOWN], *(["…"] if len(parts) > MAX_SHOWN else [])])
    return found


def _varied_by_kind(jobs: Sequence[JobSpec]) -> list[dict[str, dict[str, Any]]]:
    """Return for each kind its jobs by name, with the keys in which they differ."""
    kinds: dict[tuple[str, str], dict[str, dict[str, Any]]] = defaultdict(dict)
    for job in jobs:
        spec = {key: value for key, value in job.model_dump(mode="json").items() if key not in _NAMING}
        kinds[job.problem.kind, job.model.architecture][job.name] = dict(_values(spec, ""))
    return [_different(specs) for specs in kinds.values()]


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
