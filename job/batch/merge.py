"""Merge the results of one output directory, or of several shards, into reports: the command `report`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from job.batch.baseline import compare_merged
from job.batch.baseline_update import finish_update
from job.batch.derived_files import restore_unless_copy
from job.batch.gather import common_plan, distinct, gather, read_result
from job.batch.judging import complete_plan, gates_of, judge_by_plan
from job.batch.lock import lock_output, running_batch
from job.batch.merged_report import Merged, build_merged_report
from job.errors import DamagedResultError
from job.gating.plan_file import PlanEntry, write_entries
from job.reports.report_files import write_reports
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths, prepare_output, refuse_links


def merge_reports(
    directories: Sequence[Path],
    destination: Path | None = None,
    baseline: Path | None = None,
    *,
    hide_test: bool = False,
) -> Report:
    """Read the results of a batch, judge them by its plan, and write its reports; nothing is trained.

    The report is the one that a run of the whole batch would have written: when it began and ended, and
    which jobs were reused, are taken from the reports of the runs that left the results. Jobs whose result is
    damaged are missing in it, with the reason.

    Args:
        directories: one output directory, or those of several shards.
        destination: where the results are gathered and the reports go; by default the first directory.
        baseline: compared with the results; by default the comparisons of the runs are merged.
        hide_test: whether the reports for people leave out the test.

    Raises:
        BaselineError: the baseline is missing or has none of the jobs, or the runs had different baselines.
        OutputError: a directory is missing or has no plan, two directories contradict each other, or results
            would be gathered where a batch is running.
    """
    began = datetime.now(timezone.utc)
    output = OutputPaths(destination or directories[0])
    given = distinct(directories)
    sources = distinct([*([output.root] if output.plan.exists() else []), *directories])
    for source in sources:
        finish_update(source.root)
    plan = common_plan(sources, given)
    running = [process for source in sources if (process := running_batch(source.root))]
    _gather_if_elsewhere(plan, given, sources, output)
    recorded, unusable = _read_all(output, plan.values())
    entries = complete_plan(plan, recorded)
    results = [judge_by_plan(plan[result.name], result) for result in recorded]
    comparison = None
    if baseline is not None:
        comparison = compare_merged(baseline, output, [*plan], gates_of(entries), results)
    merged = Merged(
        plan=entries,
        results=results,
        unusable=unusable,
        running=running,
        comparison=comparison,
        output=output,
    )
    report = build_merged_report(merged, sources, began)
    write_reports(output, report, hide_test=hide_test)
    return report


def _gather_if_elsewhere(
    plan: dict[str, PlanEntry],
    given: Sequence[OutputPaths],
    sources: Sequence[OutputPaths],
    output: OutputPaths,
) -> None:
    """Prepare the output directory, and gather the results there unless they are there already."""
    prepare_output(output.root)
    for place in (output, *sources):
        refuse_links(place, plan)
    if any(source.root.resolve() != output.root.resolve() for source in sources):
        with lock_output(output.root):
            gather(plan, given, output)
            write_entries(output, plan.values())


def _read_all(output: OutputPaths, plan: Iterable[PlanEntry]) -> tuple[list[JobResult], dict[str, str]]:
    """Return the results that can be used, and by job name why others cannot."""
    found, unusable = [], {}
    for entry in plan:
        try:
            result = read_result(output, entry)
        except DamagedResultError as error:
            unusable[entry.name] = str(error)
        else:
            found += [restore_unless_copy(output.job(entry.name), result)] if result is not None else []
    return found, unusable
