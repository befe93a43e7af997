"""Compare a batch with its baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from job.batch.baseline_update import end_update
from job.batch.judging import completed, judge_by_plan
from job.batch.planning import PlannedJob
from job.errors import BaselineError, DamagedResultError, OutputError
from job.gating import batch_verdict
from job.gating.comparability import PlannedComparison, check_comparable
from job.gating.comparison import Candidate, compare
from job.gating.plan_file import PlanEntry, read_entries
from job.gating.recorded_batch import RecordedBatch, check_files, read_recorded
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.results.batch_report import Verdict
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths

# --- of a run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunBaseline:
    """The baseline of a run.

    Args:
        recorded: the earlier batch.
        planned: names of all jobs of the spec.
    """

    recorded: RecordedBatch
    planned: tuple[str, ...]

    def compare(
        self, results: Sequence[JobResult], output: OutputPaths, plan: Sequence[PlannedJob]
    ) -> Comparison:
        """Hold the results of a run against it, by what the spec says counts as a change."""
        rules = {planned.job.name: planned.job.gate for planned in plan}
        present = {result.name for result in results}
        missing = [name for name in rules if name not in present]
        candidate = Candidate(
            results=results, output=output, planned=self.planned, gates=rules, missing=missing
        )
        return compare(self.recorded, candidate)


def check_baseline(
    path: Path,
    output: OutputPaths,
    plan: Sequence[PlannedJob],
    chosen: Sequence[PlannedJob],
    *,
    sharded: bool,
) -> RunBaseline:
    """Read a baseline, and check before training that the jobs can be compared with it.

    Args:
        path: an output directory, or a `report.json`.
        output: where the run will write.
        plan: all jobs of the spec.
        chosen: those that are to be run.
        sharded: whether they are a part of those that were asked for; its jobs may all be new ones.

    Raises:
        BaselineError: it cannot be.
    """
    recorded = _read_elsewhere(path, output)
    planned = tuple(p.job.name for p in plan)
    jobs = [
        PlannedComparison(
            name=p.job.name, problem_fingerprint=p.problem_fingerprint, spec=p.job.model_dump(mode="json")
        )
        for p in chosen
    ]
    names = [job.name for job in jobs]
    check_comparable(recorded, jobs, planned if sharded else names)
    check_files(recorded, names)
    return RunBaseline(recorded, planned)


def _read_elsewhere(path: Path, output: OutputPaths) -> RecordedBatch:
    """Read a baseline that is not the output directory: results would be compared with themselves."""
    root = output.root.resolve()
    if root in (path.resolve(), path.resolve().parent):
        raise BaselineError(
            f"baseline {path} lies in the output directory, where this batch puts its own results; copy it "
            "elsewhere, or choose another directory with --output-dir"
        )
    end_update(path)
    return read_recorded(path)


# --- of what is on disk -------------------------------------------------------------------------------------


def compare_merged(
    path: Path, output: OutputPaths, plan: Sequence[PlanEntry], results: Sequence[JobResult]
) -> Comparison:
    """Hold the gathered results of a batch against a baseline, by what its plan says counts as a change.

    Args:
        path: of the baseline.
        output: where the results are.
        plan: see `completed`.
        results: of the batch.

    Raises:
        BaselineError: it is missing, cannot be read, or has none of the jobs.
    """
    recorded = _read_elsewhere(path, output)
    planned = [entry.name for entry in plan]
    check_comparable(recorded, [], planned)
    check_files(recorded, planned)
    present = {result.name for result in results}
    missing = [name for name in planned if name not in present]
    candidate = Candidate(
        results=results, output=output, planned=planned, gates=gates_of(plan), missing=missing
    )
    return compare(recorded, candidate)


def gates_of(plan: Sequence[PlanEntry]) -> dict[str, GateSpec]:
    """Return by job name the gates that a plan holds."""
    return {entry.name: entry.gate for entry in plan if entry.gate is not None}


def compare_recorded(baseline: Path, candidate: Path) -> Comparison:
    """Return what `compare_and_judge` finds, without its verdict."""
    return compare_and_judge(baseline, candidate)[0]


def compare_and_judge(baseline: Path, candidate: Path) -> tuple[Comparison, Verdict]:
    """Hold a batch on disk against another; each is an output directory, or a `report.json` alone.

    The candidate's plan says what counts as a change, and which gates its own metrics must pass.

    Raises:
        BaselineError: the baseline is missing, cannot be read, or has none of the candidate's jobs.
        DamagedResultError: a file of the candidate has changed since it was recorded.
        OutputError: the candidate is missing or cannot be read.
    """
    for path in (baseline, candidate):
        end_update(path)
    before = read_recorded(baseline)
    try:
        now = read_recorded(candidate, "candidate")
    except BaselineError as error:
        raise OutputError(str(error)) from error
    written = _plan_of(now)
    planned = {*now.results, *now.report.missing, *written}
    check_comparable(before, [], planned)
    check_files(before, now.results)
    try:
        check_files(now, now.results, "candidate")
    except BaselineError as error:
        raise DamagedResultError(str(error)) from error
    results = [judge_by_plan(_entry(written, result), result) for result in now.report.jobs]
    plan = completed(
        {r.name: _entry(written, r) or PlanEntry(r.name, r.fingerprint) for r in results}, results
    )
    candidate_batch = Candidate(
        results=results,
        output=now.output,
        planned=planned,
        gates=gates_of(plan),
        missing=now.report.missing,
    )
    found = compare(before, candidate_batch)
    failed = batch_verdict.gate_findings(results, summarize_seeds(results, seed_families(plan)))
    return found, batch_verdict.conclude([*batch_verdict.comparison_findings(found.jobs), *failed])


def _plan_of(batch: RecordedBatch) -> dict[str, PlanEntry]:
    """Return the plan beside a report; nothing where there is none, as of a `report.json` alone."""
    try:
        return read_entries(batch.output.plan)
    except (OSError, ValueError):
        return {}


def _entry(plan: Mapping[str, PlanEntry], result: JobResult) -> PlanEntry | None:
    """Return a job's entry, unless it is of another training than the result."""
    entry = plan.get(result.name)
    return entry if entry is not None and entry.fingerprint == result.fingerprint else None
