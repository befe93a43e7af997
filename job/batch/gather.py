"""Gather the results of several output directories, those of shards, in one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from job.batch.derived_files import result_damage
from job.batch.judging import judge_by_plan
from job.batch.resume import read_recorded_result
from job.errors import DamagedResultError, OutputError
from job.gating.plan_file import PlanEntry, read_entries
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths
from job.storage.documents import why
from job.storage.file_names import short_fingerprint
from job.storage.job_directories import adopt


def common_plan(sources: Sequence[OutputPaths], given: Sequence[OutputPaths]) -> dict[str, PlanEntry]:
    """Return the plan, by job name, that several output directories have in common.

    A directory without a plan (its shard was lost before planning) is ignored if another one has a plan.
    Gates are taken only from the directories that the user named: the directory in which results are gathered
    may have the plan of an earlier merge.

    Args:
        sources: all directories to read.
        given: the directories that the user named.

    Raises:
        OutputError: a directory is missing, none has a plan, or two plans differ.
    """
    plans = {source: plan for source in sources if (plan := _plan(source)) is not None}
    if not plans:
        where = ", ".join(str(source.root) for source in sources)
        raise OutputError(f"{where} holds no batch: there is no plan.json; expected what a run left there")
    first, plan = min(plans.items(), key=lambda item: [*item[1]])
    for source, other in plans.items():
        for name in dict.fromkeys([*plan, *other]):
            own, others = (each[name].fingerprint if name in each else None for each in (plan, other))
            if own != others:
                raise OutputError(
                    f"{first.root} and {source.root} are of different specs: job {name} has fingerprint "
                    f"{_short(own)} in one and {_short(others)} in the other"
                )
    judging = {source: each for source, each in plans.items() if source in given} or plans
    return {name: _common_entry(name, judging, plan[name]) for name in plan}


def _common_entry(
    name: str, plans: Mapping[OutputPaths, Mapping[str, PlanEntry]], without_gate: PlanEntry
) -> PlanEntry:
    """Return a job's entry with its gate, which must be the same in all plans that have one."""
    known = [(source, plan[name]) for source, plan in plans.items() if plan[name].gate is not None]
    if not known:
        return without_gate
    first, entry = known[0]
    for source, other in known[1:]:
        if other != entry:
            raise OutputError(
                f"{first.root} and {source.root} are of different specs: job {name} has {_rules(entry)} in "
                f"one and {_rules(other)} in the other; run the batch with one spec in both"
            )
    return entry


def _rules(entry: PlanEntry) -> str:
    gate = entry.gate.model_dump(mode="json", exclude_defaults=True) if entry.gate else {}
    return f"gate {json.dumps(gate)}" + (f" and seeds {list(entry.seeds)}" if entry.seeds else "")


def _plan(source: OutputPaths) -> dict[str, PlanEntry] | None:
    if not source.root.is_dir():
        raise OutputError(f"{source.root} holds no batch: it is no directory; expected what a run left there")
    try:
        return read_entries(source.plan)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{source.plan} cannot be read ({why(error)}); run the batch again") from error


def _short(fingerprint: str | None) -> str:
    return short_fingerprint(fingerprint) if fingerprint else "none"


def read_result(source: OutputPaths, entry: PlanEntry) -> JobResult | None:
    """Return a job's result after comparing its files with their recorded checksums; None without a result.

    Raises:
        DamagedResultError: the result cannot be read, a file is missing or has changed, or the result is of
            another evaluation than planned: a run has not got to evaluating the model again.
        OutputError: the result is of another training than planned.
    """
    name, fingerprint = entry.name, entry.fingerprint
    paths = source.job(name)
    path = paths.result
    result, unreadable = read_recorded_result(paths)
    if unreadable:
        raise DamagedResultError(f"{paths.directory}/{unreadable}; run the batch again")
    if result is None:
        return None
    if result.name != name:
        raise OutputError(f"{path} is the result of another job, {result.name}; train the job again")
    if result.fingerprint != fingerprint:
        if entry.training_fingerprint and result.training_fingerprint == entry.training_fingerprint:
            raise DamagedResultError(
                f"{path} is of another evaluation section than plan.json; run the batch again"
            )
        raise OutputError(
            f"{path} is of another spec than plan.json (fingerprint {_short(result.fingerprint)}, planned "
            f"{_short(fingerprint)}); train the job again"
        )
    damage = result_damage(paths, result, may_be_copy=True)
    if damage:
        raise DamagedResultError(f"{paths.directory}/{damage}; run the batch again")
    return result


def read_intact(source: OutputPaths, entry: PlanEntry) -> JobResult | None:
    """Return a job's result as `read_result` does, None also if it is damaged."""
    try:
        return read_result(source, entry)
    except DamagedResultError:
        return None


def gather(plan: Mapping[str, PlanEntry], given: Sequence[OutputPaths], output: OutputPaths) -> None:
    """Copy every job directory to `output`; of several, that with the result that got furthest.

    A damaged result is copied only if the job has no other. Of several finished results with the same
    metrics, one that fails its gate (on a time, for example) wins, then the one that comes first by a hash of
    its content: the order of the directories makes no difference.

    Args:
        plan: by job name.
        given: directories with the results; a result in `output` counts for jobs that have none there.
        output: prepared, see `artifacts.prepare_output`.

    Raises:
        OutputError: a result has another fingerprint than the plan, or two finished results of a job have
            different metrics.
        OSError: a file cannot be copied.
    """
    chosen = {name: _choose(entry, given, output) for name, entry in plan.items()}
    for name, source in chosen.items():
        if source is not None and source != output:
            adopt(source, output, name)


def _choose(entry: PlanEntry, given: Sequence[OutputPaths], output: OutputPaths) -> OutputPaths | None:
    """Return the output directory with the result to keep of a job; None if there is no result."""
    present = read_intact(output, entry)
    read = {source: read_intact(source, entry) for source in given}
    found = {source: judge_by_plan(entry, result) for source, result in read.items() if result is not None}
    if not found:
        return output if output.job(entry.name).directory.exists() else _damaged(entry, given)
    _check_agreement(found, entry.name)
    best = min(found, key=lambda source: _rank(found[source]))
    same = present is not None and _rank(judge_by_plan(entry, present)) == _rank(found[best])
    further = present is not None and _progress(present) > _progress(found[best])
    return output if same or further else best


def _damaged(entry: PlanEntry, given: Sequence[OutputPaths]) -> OutputPaths | None:
    """Return a directory with a damaged result of a job, which is copied so that the report can name it."""
    return next((source for source in given if source.job(entry.name).result.exists()), None)


def _rank(result: JobResult) -> tuple[int, bool, str]:
    """Return a sort key: the result to keep comes first."""
    content = hashlib.sha256(result.to_json().encode()).hexdigest()
    return -_progress(result), result.status != "gate_failed", content


def _progress(result: JobResult) -> int:
    return 2 if result.finished else 1 if result.status == "failed" else 0


def _check_agreement(found: Mapping[OutputPaths, JobResult], name: str) -> None:
    """Check that all finished results of a job have the same metrics; raises `OutputError`."""
    finished = sorted(
        ((str(source.job(name).result), result) for source, result in found.items() if result.finished),
        key=lambda pair: pair[0],
    )
    for path, result in finished[1:]:
        first, other = finished[0][1].metrics, result.metrics
        for metric in dict.fromkeys([*first, *other]):
            if first.get(metric) != other.get(metric):
                raise OutputError(
                    f"job {name} has two results that contradict each other: {metric} is "
                    f"{first.get(metric)} in {finished[0][0]} and {other.get(metric)} in {path}; remove the "
                    "one that is wrong, or train the job again"
                )


def distinct(directories: Sequence[Path]) -> list[OutputPaths]:
    """Return the paths of the output directories, each directory once, however its name is written."""
    return [OutputPaths(path) for path in {path.resolve(): path for path in directories}.values()]
