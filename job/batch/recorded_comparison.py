"""Compare two batches on disk: the command `compare`."""

from __future__ import annotations

from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.commit_log import with_commits
from job.batch.judging import gates_of
from job.batch.recorded_candidate import read_candidate
from job.gating import batch_verdict
from job.gating.comparability import check_comparable
from job.gating.comparison import Candidate, compare
from job.gating.recorded_batch import check_files, read_recorded
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.results.batch_report import Verdict
from job.results.comparison_records import Comparison


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
    finish_update(baseline)
    before = read_recorded(baseline)
    now = read_candidate(candidate)
    report = now.batch.report
    planned = {*now.batch.results, *report.missing, *now.entries}
    check_comparable(before, [], planned)
    check_files(before, now.batch.results)
    now.check_files(now.batch.results)
    results, plan = now.judged(report.jobs)
    found = compare(
        before,
        Candidate(
            results=results,
            output=now.batch.output,
            planned=planned,
            gates=gates_of(plan),
            missing=report.missing,
        ),
    )
    comparison = with_commits(found, results, Path.cwd())
    gate_findings = batch_verdict.gate_findings(results, summarize_seeds(results, seed_families(plan)))
    findings = [*batch_verdict.comparison_findings(comparison.jobs), *gate_findings]
    return comparison, batch_verdict.conclude(findings)
