"""The report of a merge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from job.batch.batch_ensembles import ensembles_of_merge
from job.batch.judging import gates_of
from job.batch.run_reports import read_run_reports
from job.errors import BAD_USAGE, FAILED
from job.gating import batch_verdict
from job.gating.merged_comparisons import merge_comparisons
from job.gating.plan_file import PlanEntry
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.reports.report_files import build_report
from job.results.batch_report import Report
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths


@dataclass(frozen=True, kw_only=True)
class Merged:
    """The results of a batch, gathered and judged.

    Args:
        plan: of the batch.
        results: that can be used.
        unusable: by job name, why a result cannot be used.
        running: descriptions of processes that are still running a part of the batch.
        comparison: with a baseline named by the user, else None.
        output: where the results are gathered.
    """

    plan: Sequence[PlanEntry]
    results: Sequence[JobResult]
    unusable: Mapping[str, str]
    running: Sequence[str]
    comparison: Comparison | None
    output: OutputPaths

    @property
    def missing(self) -> list[str]:
        """Names of planned jobs without a result that can be used."""
        present = {result.name for result in self.results}
        return [entry.name for entry in self.plan if entry.name not in present]

    @property
    def due(self) -> list[str]:
        """Names of the jobs that must have a result now: all, unless the batch is still running."""
        waiting = {*self.missing} - {*self.unusable} if self.running else set()
        return [entry.name for entry in self.plan if entry.name not in waiting]


def build_merged_report(merged: Merged, sources: Iterable[OutputPaths], began: datetime) -> Report:
    """Return the report of a batch whose results were gathered.

    Args:
        merged: the results.
        sources: output directories with the reports of the runs that left the results.
        began: when the merge began: the times of the batch if no run has left a report.
    """
    results = merged.results
    runs = read_run_reports(sources, results)
    comparison = merged.comparison
    if comparison is None:
        parts = {result.name: runs.comparison(result.name) for result in results}
        comparison = merge_comparisons(parts, gates_of(merged.plan))
    seeds = summarize_seeds(results, seed_families(merged.plan))
    ensembles = ensembles_of_merge(
        merged.plan, results, merged.output, merged.due, running=bool(merged.running)
    )
    return build_report(
        results,
        started_at=runs.started_at(default=began),
        finished_at=runs.finished_at(default=datetime.now(timezone.utc)),
        verdict=batch_verdict.decide(
            merged.due,
            results,
            comparison=comparison,
            seeds=seeds,
            may_be_empty=bool(merged.running),
            besides=[
                *_running_findings(merged),
                *_unstarted_findings(runs.unstarted),
                *batch_verdict.ensemble_findings(ensembles),
            ],
            unusable=merged.unusable,
        ),
        missing=merged.missing,
        reused=[result.name for result in results if runs.was_reused(result.name)],
        comparison=comparison,
        seeds=seeds,
        ensembles=ensembles,
        running=bool(merged.running),
        unstarted=runs.unstarted_reasons,
        unusable=merged.unusable,
        set_aside=runs.set_aside,
    )


def _running_findings(merged: Merged) -> Iterator[batch_verdict.Finding]:
    if merged.running:
        processes = "; ".join(dict.fromkeys(merged.running))
        waiting, count = len(merged.missing), len(merged.plan)
        left = f"{waiting:,} of {count:,} jobs have no result yet" if waiting else "every job has a result"
        reason = f"the batch is still running ({processes}): {left}, and this is not its verdict"
        yield batch_verdict.Finding(FAILED, reason)


def _unstarted_findings(unstarted: Iterable[Report]) -> Iterator[batch_verdict.Finding]:
    exit_codes = {reason: run.exit_code for run in unstarted for reason in run.unstarted}
    for reason, code in exit_codes.items():
        exit_code = code if code in batch_verdict.PRECEDENCE else BAD_USAGE
        sentence = f"the last run did not start, so the results are of earlier ones: {reason}"
        yield batch_verdict.Finding(exit_code, sentence)
