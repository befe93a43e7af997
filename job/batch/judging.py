"""Judge recorded results again, by the gates of the current plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from job.gating import gates
from job.gating.gates import recorded_gate
from job.gating.plan_file import PlanEntry
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec
from job.spec.seed_expansion import base_name


def judge_by_plan(entry: PlanEntry | None, result: JobResult) -> JobResult:
    """Return a result with the verdict of the plan's gate, whatever verdict it records.

    Args:
        entry: of the job in the plan; without one, or with one of an earlier version that has no gate, the
            gate is the one that the result records.
        result: of the job.

    Raises:
        OutputError: the recorded gate cannot be read.
    """
    if entry is not None and entry.gate is not None:
        return gates.judge_result(result, entry.gate, entry.seeds)
    gate = recorded_gate(result)
    if gate is None:
        return result
    return replace(gates.judge_result(result, gate, _recorded_seeds(result)), spec=result.spec)


def complete_plan(plan: Mapping[str, PlanEntry], results: Iterable[JobResult]) -> list[PlanEntry]:
    """Return a plan's entries; what an entry of an earlier version lacks is taken from the result."""
    recorded = {result.name: result for result in results}
    return [_complete(entry, recorded.get(name)) for name, entry in plan.items()]


def _complete(entry: PlanEntry, result: JobResult | None) -> PlanEntry:
    if entry.gate is not None or result is None:
        return entry
    seeds, base = _recorded_seeds(result), base_name(result.name, result.seed)
    of_family = result.seed in seeds and base != result.name
    family = base if of_family else None
    gate = recorded_gate(result) or GateSpec()
    return replace(entry, gate=gate, family=family, seed=result.seed, seeds=seeds if of_family else ())


def gates_of(plan: Iterable[PlanEntry]) -> dict[str, GateSpec]:
    """Return the gates in a plan, by job name."""
    return {entry.name: entry.gate for entry in plan if entry.gate is not None}


def _recorded_seeds(result: JobResult) -> tuple[int, ...]:
    seeds = result.spec.get("seeds", ())
    return tuple(seed for seed in seeds if isinstance(seed, int)) if isinstance(seeds, list | tuple) else ()
