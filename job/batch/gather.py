"""The output directories of several shards -> one."""

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
from job.storage import artifacts
from job.storage.artifacts import OutputPaths
from job.storage.documents import why
from job.storage.file_names import short_fingerprint


def common_plan(sources: Sequence[OutputPaths], given: Sequence[OutputPaths]) -> dict[str, PlanEntry]:
    """Return the plan, by job name, of output directories that all hold the same one.

    A directory without a plan (a shard's that was lost before it planned) is passed over where others have
    one. Gates are taken from the directories that were given alone: where results are gathered there may be
    the plan of an earlier merge.

    Args:
        sources: every directory that is read.
        given: those that the user named.

    Raises:
        OutputError: a directory is not there, none has a plan, or two plans differ.
    """
    plans = {source: plan for source in sources if (plan := _plan(source)) is not None}
    if not plans:
        where = ", ".join(str(source.root) for source in sources)
        raise OutputError(f"{where} holds no batch: there is no plan.json; expected what a run left there")
    first, plan = min(plans.items(), key=lambda item: [*item[1]])
    for source, other in plans.items():
        for name in dict.fromkeys([*plan, *other]):
            marks = [each[name].fingerprint if name in each else None for each in (plan, other)]
            if marks[0] != marks[1]:
                raise OutputError(
                    f"{first.root} and {source.root} are of different specs: job {name} has fingerprint "
                    f"{_short(marks[0])} in one and {_short(marks[1])} in the other"
                )
    judging = {source: each for source, each in plans.items() if source in given} or plans
    return {name: _common_entry(name, judging, plan[name]) for name in plan}


def _common_entry(
    name: str, plans: Mapping[OutputPaths, Mapping[str, PlanEntry]], alone: PlanEntry
) -> PlanEntry:
    """Return a job's entry with its gate, which all plans that hold one must agree on."""
    known = [(source, plan[name]) for source, plan in plans.items() if plan[name].gate is not None]
    if not known:
        return alone
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


def read_result(source: OutputPaths, name: str, fingerprint: str) -> JobResult | None:
    """Return a job's result, or None; verify its files against their recorded checksums.

    Raises:
        DamagedResultError: it cannot be read, or a file is missing or has changed.
        OutputError: it is of another fingerprint than planned.
    """
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
        raise OutputError(
            f"{path} is of another spec than plan.json (fingerprint {_short(result.fingerprint)}, planned "
            f"{_short(fingerprint)}); train the job again"
        )
    damage = result_damage(paths, result, may_be_copy=True)
    if damage:
        raise DamagedResultError(f"{paths.directory}/{damage}; run the batch again")
    return result


def read_whole(source: OutputPaths, name: str, fingerprint: str) -> JobResult | None:
    """Return a job's result as `read_result` does, None also where it is damaged."""
    try:
        return read_result(source, name, fingerprint)
    except DamagedResultError:
        return None


def gather(plan: Mapping[str, PlanEntry], given: Sequence[OutputPaths], output: OutputPaths) -> None:
    """Bring every job's directory into `output`: of several results the one that got furthest.

    Results that are damaged count only where a job has no other. The order of the directories makes no
    difference. Of several finished results that measured the same, one
    that fails its gate (on a time, say) is taken before others, then one by its content.

    Args:
        plan: by job name.
        given: where the results are. What `output` holds besides counts for jobs that they lack.
        output: prepared, see `artifacts.prepare_output`.

    Raises:
        OutputError: a result is of another fingerprint; or two finished results of a job contradict each
            other.
        OSError: a file cannot be copied.
    """
    chosen = {name: _choose(entry, given, output) for name, entry in plan.items()}
    for name, source in chosen.items():
        if source is not None and source != output:
            artifacts.adopt(source, output, name)


def _choose(entry: PlanEntry, given: Sequence[OutputPaths], output: OutputPaths) -> OutputPaths | None:
    """Return where the result of a job is that counts; None where there is none."""
    held = read_whole(output, entry.name, entry.fingerprint)
    read = {source: read_whole(source, entry.name, entry.fingerprint) for source in given}
    found = {source: judge_by_plan(entry, result) for source, result in read.items() if result is not None}
    if not found:
        return output if output.job(entry.name).directory.exists() else _damaged(entry, given)
    _check_agreement(found, entry.name)
    best = min(found, key=lambda source: _rank(found[source]))
    as_held = held is not None and _rank(judge_by_plan(entry, held)) == _rank(found[best])
    further = held is not None and _progress(held) > _progress(found[best])
    return output if as_held or further else best


def _damaged(entry: PlanEntry, given: Sequence[OutputPaths]) -> OutputPaths | None:
    """Return where a damaged result of a job is; it is gathered too, so that a report can tell of it."""
    return next((source for source in given if source.job(entry.name).result.exists()), None)


def _rank(result: JobResult) -> tuple[int, bool, str]:
    content = hashlib.sha256(result.to_json().encode()).hexdigest()
    return -_progress(result), result.status != "gate_failed", content


def _progress(result: JobResult) -> int:
    return 2 if result.finished else 1 if result.status == "failed" else 0


def _check_agreement(found: Mapping[OutputPaths, JobResult], name: str) -> None:
    """See that finished results of one fingerprint measured the same; raises `OutputError`."""
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
    """Return the directories' paths, each directory once, however it is written."""
    return [OutputPaths(path) for path in {path.resolve(): path for path in directories}.values()]
