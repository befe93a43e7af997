"""Compare two batches on disk: the command `compare`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.commit_log import with_commits
from job.batch.judging import complete_plan, gates_of, judge_by_plan
from job.errors import BaselineError, DamagedResultError, OutputError, UsageError
from job.gating import batch_verdict
from job.gating.comparability import check_comparable
from job.gating.comparison import Candidate, compare, compare_variants
from job.gating.plan_file import PlanEntry, read_entries
from job.gating.recorded_batch import RecordedBatch, check_files, read_recorded
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.results.batch_report import Verdict
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec


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
    now = _read_candidate(candidate)
    entries = _read_plan(now)
    planned = {*now.results, *now.report.missing, *entries}
    check_comparable(before, [], planned)
    check_files(before, now.results)
    _check_candidate(now, now.results)
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


def compare_jobs(path: Path, names: str) -> tuple[Comparison, Verdict]:
    """Compare two jobs of one batch on disk, and judge the second by the first.

    The plan's gate of the second job says what counts as a regression. Variants may differ in their training
    data; what they must share are the test examples.

    Args:
        path: an output directory or a `report.json`.
        names: names of the jobs, the baseline first, with a comma between them.

    Raises:
        DamagedResultError: a file of the jobs has changed since it was recorded.
        OutputError: the batch is missing or cannot be read.
        UsageError: `names` are not two jobs of the batch.
    """
    finish_update(path)
    batch = _read_candidate(path)
    first, second = _two_jobs(batch, names)
    _check_candidate(batch, [first.name, second.name])
    entry = _entry(_read_plan(batch), second)
    second = judge_by_plan(entry, second)
    (plan,) = complete_plan({second.name: entry or PlanEntry(second.name, second.fingerprint)}, [second])
    gate = (plan.gate or GateSpec()).model_copy(update={"baseline": "same_test"})
    comparison = compare_variants(batch, first, second, gate)
    return comparison, batch_verdict.conclude(batch_verdict.comparison_findings(comparison.jobs))


def _two_jobs(batch: RecordedBatch, names: str) -> tuple[JobResult, JobResult]:
    asked = [name.strip() for name in names.split(",")]
    if len(asked) != 2 or asked[0] == asked[1]:
        raise UsageError(f"--jobs: expected the names of two jobs as BASELINE,CANDIDATE, found {names!r}")
    for name in asked:
        if name not in batch.results:
            known = ", ".join(islice(batch.results, 5)) or "none"
            raise UsageError(f"--jobs: {batch.name} has no result of a job {name!r}; its jobs: {known}")
    return batch.results[asked[0]], batch.results[asked[1]]


def _read_candidate(path: Path) -> RecordedBatch:
    try:
        return read_recorded(path, "candidate")
    except BaselineError as error:
        raise OutputError(str(error)) from error


def _check_candidate(batch: RecordedBatch, names: Iterable[str]) -> None:
    try:
        check_files(batch, names, "candidate")
    except BaselineError as error:
        raise DamagedResultError(str(error)) from error


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
