"""The members of a planned ensemble: their results, what they determine, and why they may be missing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from job.batch.gather import read_intact
from job.errors import OutputError
from job.gating.plan_file import PlanEntry, read_entries
from job.results.ensemble_records import EnsembleMember, EnsembleModels, EnsembleStatus
from job.results.job_result import JobResult
from job.spec.seed_expansion import run_name
from job.storage.artifacts import OutputPaths

MEMBER_FILES = (
    "model/inference_encoder.keras",
    "model/inference_decoder.keras",
    "model/vocabulary.json",
    "predictions.jsonl",
)
"""Files of a member that determine the result of an ensemble."""

GENERATED = ("reversed_prefix", "reverse", "copy", "sort", "addition")
"""Kinds of problems whose test examples are drawn with the seed: those of the first seed are used for all."""


@dataclass(frozen=True, kw_only=True)
class PlannedEnsemble:
    """The ensemble of a job with `seeds`.

    Args:
        name: of the job in the spec.
        members: names of the runs of its seeds, in the spec's order.
    """

    name: str
    members: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Unready:
    """Why an ensemble cannot be computed now: its status, and the reason as a clause."""

    status: EnsembleStatus
    reason: str


def planned_ensembles(entries: Iterable[PlanEntry]) -> tuple[PlannedEnsemble, ...]:
    """Return the ensembles of a plan, in its order, even if it has only some of the members."""
    found = {
        entry.family: PlannedEnsemble(
            name=entry.family, members=tuple(run_name(entry.family, seed) for seed in entry.seeds)
        )
        for entry in entries
        if entry.ensemble and entry.family is not None
    }
    return tuple(found.values())


def member_results(
    ensemble: PlannedEnsemble, results: Mapping[str, JobResult], output: OutputPaths, due: Collection[str]
) -> list[JobResult] | Unready:
    """Return the finished results of all members, or why there are not all of them.

    Args:
        ensemble: the ensemble.
        results: of this run, by job name; those of other members are read from the output directory.
        output: the output directory.
        due: names of the jobs that must have a result now.
    """
    plan: Mapping[str, PlanEntry] = {}
    with suppress(OSError, ValueError):
        plan = read_entries(output.plan)
    found: list[JobResult] = []
    for name in ensemble.members:
        result = results.get(name)
        if result is None and name not in due and name in plan:
            with suppress(OutputError):
                result = read_intact(output, plan[name])
        if result is None:
            status: EnsembleStatus = "failed" if name in due else "waiting"
            return Unready(status=status, reason=f"its member {name} has no result")
        if not result.finished:
            return _unfinished(name, result)
        found.append(result)
    return found


def _unfinished(name: str, result: JobResult) -> Unready:
    if result.status == "interrupted":
        return Unready(status="waiting", reason=f"its member {name} was interrupted; run the batch again")
    cause = f": {result.error.summary}" if result.error else ""
    return Unready(status="failed", reason=f"its member {name} has failed{cause}")


def incompatible(members: list[JobResult]) -> str:
    """Return why finished members cannot be evaluated together, as a clause; empty if they can."""
    first = members[0]
    for member in members:
        listed = {artifact.path for artifact in member.artifacts}
        if missing := [path for path in MEMBER_FILES if path not in listed]:
            return f"its member {member.name} has no {missing[0]}; run the batch again"
    problem = first.spec.get("problem", {})
    separators = first.data.separators
    plain = separators and separators.source is not None and separators.target is not None
    if problem.get("kind") == "plugin" and separators is not None and not plain:
        return "its problem splits texts by code of its own, so recorded examples cannot be decoded again"
    if problem.get("kind") not in GENERATED:
        for member in members[1:]:
            if member.test_fingerprint != first.test_fingerprint:
                return (
                    f"the test examples of {member.name} are not those of {first.name}, and one may have "
                    "been trained on the other's; let the split not depend on the seed"
                )
    return ""


def models_of(members: Iterable[JobResult]) -> EnsembleModels:
    """Return what `ensemble.json` says of the members."""
    return EnsembleModels(
        members=tuple(
            EnsembleMember(
                name=member.name,
                fingerprint=member.fingerprint,
                directory=f"../../jobs/{member.name}",
                files={a.path: a.sha256 for a in member.artifacts if a.path in MEMBER_FILES},
            )
            for member in members
        )
    )


def fingerprint_of(models: EnsembleModels) -> str:
    """Return the SHA-256, in hex, of the members' fingerprints and files."""
    facts = [[member.name, member.fingerprint, member.files] for member in models.members]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
