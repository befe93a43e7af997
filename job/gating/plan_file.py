"""`plan.json`: the jobs that an output directory was last run with, and the gates that judge them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from job.results.records import SCHEMA_VERSION, validated
from job.results.sections import JobName
from job.spec.gate_section import GateSpec
from job.storage import artifacts
from job.storage.artifacts import OutputPaths
from job.storage.documents import DocumentError, read_json


@dataclass(frozen=True)
class PlanEntry:
    """One job of a plan.

    Args:
        name: the job's.
        fingerprint: of the job as planned.
        gate: what its result and its comparison with a baseline are judged by; None in the plan of an earlier
            version, which leaves that to the spec recorded in the result.
        family: the name in the spec of a job with `seeds`, of which this job is one run; None for other jobs.
        seed: of this job; None in the plan of an earlier version.
        seeds: all seeds of the family, in the spec's order; empty for other jobs.
    """

    name: JobName
    fingerprint: str
    gate: GateSpec | None = None
    family: JobName | None = None
    seed: int | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class _PlanFile:
    jobs: tuple[PlanEntry, ...]
    schema_version: int = SCHEMA_VERSION


@cache
def _reader() -> TypeAdapter[_PlanFile]:
    return TypeAdapter(_PlanFile)


def write_entries(output: OutputPaths, entries: Iterable[PlanEntry]) -> None:
    """Write `plan.json`; raises `OSError` with the old file in place."""
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
        ValueError: it is no plan.
    """
    try:
        plan = validated(_reader(), read_json(path))
    except DocumentError as error:
        raise DocumentError(f"{path} is not a plan of seq2seq-job: {error}") from error
    entries = {entry.name: entry for entry in plan.jobs}
    if len(entries) < len(plan.jobs):
        raise DocumentError(f"{path} is not a plan of seq2seq-job: a job is there twice")
    return entries
