"""Compare two batches on disk: the command `compare`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.commit_log import with_commits
from job.batch.judging import complete_plan, gates_of, judge_by_plan
from job.errors import BaselineError, DamagedResultError, OutputError
from job.gating import batch_verdict
from job.gating.comparability import check_comparable
from job.gating.comparison import Candidate, compare
from job.gating.plan_file import PlanEntry, read_entries
from job.gating.recorded_batch import RecordedBatch, check_files, read_recorded
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.results.batch_report import Verdict
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult


def compare_recorded(baseline: Path, candidate: Path) -> Comparison:
    """Compare two batches on disk as `compare_and_judge` does, without a verdict."""
    return compare_and_judge(baseline, candidate)[0]


def compare_and_judge(baseline: Path, candidate: Path) -> tuple[Comparison, Verdict]:
    """Compare two batches on disk, and judge the candidate.

    The candidate's plan has the gates: what counts as a regression, and the thresholds of its own metrics.

    Args:
        baseline: an output directory or a `report.json`.
        candidate: an output directory or a `report.json`.

    Raises:
        BaselineError: the baseline is missing, cannot be read, or has none of the candidate's jobs.
        DamagedResultError: a file of the candidate has changed since it was recorded.
        OutputError: the candidate is missing or cannot be read.
    """
    for path in (baseline, candidate):
        finish_update(path)
    before = read_recorded(baseline)
    try:
        now = read_recorded(candidate, "candidate")
    except BaselineError as error:
        raise OutputError(str(error)) from error
    entries = _read_plan(now)
    planned = {*now.results, *now.report.missing, *entries}
    check_comparable(before, [], planned)
    check_files(before, now.results)
    try:
        check_files(now, now.results, "candidate")
    except BaselineError as error:
        raise DamagedResultError(str(error)) from error
    results = [judge_by_plan(_entry(entries, result), result) for result in now.report.jobs]
    plan = complete_plan(
        {r.name: _entry(entries, r) or PlanEntry(r.name, r.fingerprint) for r in results}, results
    )
    found = compare(
        before,
        Candidate(
            results=results,
            output=now.output,
            planned=planned,
            gates=gates_of(plan),
            missing=now.report.missing,
        ),
    )
    comparison = with_commits(found, results, Path.cwd())
    gate_findings = batch_verdict.gate_findings(results, summarize_seeds(results, seed_families(plan)))
    findings = [*batch_verdict.comparison_findings(comparison.jobs), *gate_findings]
    return comparison, batch_verdict.conclude(findings)


def _read_plan(batch: RecordedBatch) -> dict[str, PlanEntry]:
    """Return the plan beside a report; empty if there is none, as for a `report.json` alone."""
    try:
        return read_entries(batch.output.plan)
    except (OSError, ValueError):
        return {}


def _entry(plan: Mapping[str, PlanEntry], result: JobResult) -> PlanEntry | None:
    """Return a job's entry in the plan; None if its fingerprint is not that of the result."""
    entry = plan.get(result.name)
    return entry if entry is not None and entry.fingerprint == result.fingerprint else None
