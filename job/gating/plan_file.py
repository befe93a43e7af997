"""Read and write `plan.json`: the jobs of the last run in an output directory, and their gates."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, TypeAdapter

from job.results.reading import SCHEMA_VERSION, validated
from job.results.sections import JobName
from job.spec.gate_section import GateSpec
from job.storage import artifacts
from job.storage.artifacts import OutputPaths
from job.storage.documents import DocumentError, read_json


@dataclass(frozen=True)
class PlanEntry:
    """One job of a plan.

    Args:
        name: of the job.
        fingerprint: of the job as planned: its evaluation fingerprint; in a plan of an earlier version
            that of the whole job, with its name and its gate.
        gate: that judges its result and its comparison with a baseline; None in a plan of an earlier version,
            for which the gate recorded in the result applies.
        family: name in the spec of the job with `seeds` of which this job is one run; None for other jobs.
        seed: of this job; None in a plan of an earlier version.
        seeds: all seeds of the family, in the spec's order; empty for other jobs.
        training_fingerprint: of the job as planned; empty in a plan of an earlier version.
        evaluation_fingerprint: the same as `fingerprint`; empty in a plan of an earlier version.
        ensemble: whether the models of the family are also evaluated together.
        cost_seconds: estimate of how long the job takes; None if it was not made.
    """

    name: JobName
    fingerprint: str
    gate: GateSpec | None = None
    family: JobName | None = None
    seed: int | None = None
    seeds: tuple[int, ...] = ()
    training_fingerprint: str = ""
    evaluation_fingerprint: str = ""
    ensemble: bool = False
    cost_seconds: Annotated[float, Field(gt=0)] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class _PlanFile:
    jobs: tuple[PlanEntry, ...]
    schema_version: int = SCHEMA_VERSION


@cache  # built on first use: it takes time that commands which read no plan need not spend
def _reader() -> TypeAdapter[_PlanFile]:
    return TypeAdapter(_PlanFile)


def write_entries(output: OutputPaths, entries: Iterable[PlanEntry]) -> None:
    """Write `plan.json`, replacing an older one.

    Raises:
        OSError: it cannot be written; an older file is unchanged.
    """
    jobs = [_record(entry) for entry in entries]
    text = json.dumps({"schema_version": SCHEMA_VERSION, "jobs": jobs}, indent=2, allow_nan=False)
    artifacts.write_text(output.plan, text + "\n")


def _record(entry: PlanEntry) -> dict[str, object]:
    if entry.gate is None:
        return {"name": entry.name, "fingerprint": entry.fingerprint}
    return {**vars(entry), "gate": entry.gate.model_dump(mode="json"), "seeds": list(entry.seeds)}


def read_entries(path: Path) -> dict[str, PlanEntry]:
    """Return the plan's jobs by name, in the spec's order.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not a plan.
    """
    try:
        plan = validated(_reader(), read_json(path))
    except DocumentError as error:
        raise DocumentError(f"{path} is not a plan of seq2seq-job: {error}") from error
    entries = {entry.name: entry for entry in plan.jobs}
    if len(entries) < len(plan.jobs):
        raise DocumentError(f"{path} is not a plan of seq2seq-job: a job is listed twice")
    return entries
