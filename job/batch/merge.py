"""Result files, of one output directory or of several -> reports, without training anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from job.batch.baseline import compare_merged, gates_of
from job.batch.baseline_update import end_update
from job.batch.derived_files import is_baseline_copy, restore_and_record
from job.batch.gather import common_plan, distinct, gather, read_result
from job.batch.judging import completed, judge_by_plan
from job.batch.lock import holder, lock_output
from job.errors import BAD_USAGE, FAILED, DamagedResultError
from job.gating import batch_verdict
from job.gating.merged_comparisons import merge_comparisons
from job.gating.plan_file import PlanEntry, write_entries
from job.gating.seed_summaries import seed_families, summarize_seeds
from job.reports.report_files import build_report, write_reports
from job.results.batch_report import Report
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.storage.artifacts import JobPaths, OutputPaths, prepare_output, refuse_links
from job.storage.documents import read_regular


def merge_reports(
    directories: Sequence[Path], destination: Path | None = None, baseline: Path | None = None
) -> Report:
    """Read the results of a batch, hold them against its plan, and write its reports.

    The report is the one that a run of the whole batch would have written: when it began and ended, and
    which jobs were done before, are taken from the reports of the runs that left the results. Jobs whose
    result is damaged are missing in it, with the reason.

    Args:
        directories: one output directory, or those of several shards.
        destination: where the results are gathered and the reports go; by default the first directory.
        baseline: the baseline to compare with; by default the comparisons of the runs are merged.

    Raises:
        BaselineError: the baseline is missing or has none of the jobs, or the runs had different ones.
        OutputError: a directory is not there or holds no plan, two contradict each other, or results would be
            gathered where a batch is running.
    """
    began = datetime.now(timezone.utc)
    output = OutputPaths(destination or directories[0])
    given = distinct(directories)
    sources = distinct([*([output.root] if output.plan.exists() else []), *directories])
    for source in sources:
        end_update(source.root)
    plan = common_plan(sources, given)
    holders = [who for source in sources if (who := holder(source.root))]
    prepare_output(output.root)
    for place in (output, *sources):
        refuse_links(place, plan)
    if any(source.root.resolve() != output.root.resolve() for source in sources):
        with lock_output(output.root):
            gather(plan, given, output)
            write_entries(output, plan.values())
    recorded, unusable = _read_all(output, plan.values())
    entries = completed(plan, recorded)
    results = [judge_by_plan(plan[result.name], result) for result in recorded]
    against = compare_merged(baseline, output, entries, results) if baseline else None
    report = _report(entries, results, unusable, sources, began, against, holders)
    write_reports(output, report)
    return report


def _restored(paths: JobPaths, result: JobResult) -> JobResult:
    """Return a result after its missing files were made again; its files were checked."""
    whole = result.finished and not is_baseline_copy(paths)
    return restore_and_record(paths, result).result if whole else result


def _read_all(output: OutputPaths, plan: Iterable[PlanEntry]) -> tuple[list[JobResult], dict[str, str]]:
    """Return the results that can be used, and by job name why others cannot."""
    found, unusable = [], {}
    for entry in plan:
        try:
            result = read_result(output, entry.name, entry.fingerprint)
        except DamagedResultError as error:
            unusable[entry.name] = str(error)
        else:
            found += [_restored(output.job(entry.name), result)] if result is not None else []
    return found, unusable


def _report(
    plan: Sequence[PlanEntry],
    results: Sequence[JobResult],
    unusable: Mapping[str, str],
    sources: Iterable[OutputPaths],
    began: datetime,
    against: Comparison | None,
    holders: Sequence[str],
) -> Report:
    runs = _runs(sources)
    names = [entry.name for entry in plan]
    told = {result.name: run for result in results if (run := _last_telling(result, runs))}
    if against is None:
        parts = {r.name: told[r.name].comparison if r.name in told else None for r in results}
        against = merge_comparisons(parts, gates_of(plan))
    present = {result.name for result in results}
    seeds = summarize_seeds(results, seed_families(plan))
    unstarted = _unstarted(results, runs)
    return build_report(
        results,
        started_at=min([_time(run.started_at) for run in told.values()], default=began),
        finished_at=max(
            [_time(run.finished_at) for run in (*told.values(), *unstarted)],
            default=datetime.now(timezone.utc),
        ),
        verdict=batch_verdict.decide(
            [name for name in names if name in present or name in unusable or not holders],
            results,
            comparison=against,
            seeds=seeds,
            may_be_empty=bool(holders),
            besides=[*_running(holders, len(names) - len(present), len(names)), *_never_began(unstarted)],
            unusable=unusable,
        ),
        missing=[name for name in names if name not in present],
        # A result that no run's report tells of was at any rate not trained now.
        reused=[name for name in present if name not in told or _entries(told[name])[name].reused],
        comparison=against,
        seeds=seeds,
        running=bool(holders),
        unstarted=[*dict.fromkeys(reason for run in unstarted for reason in run.unstarted)],
        unusable=unusable,
        set_aside=[*dict.fromkeys(aside for run in told.values() for aside in run.set_aside)],
    )


def _running(holders: Sequence[str], waiting: int, count: int) -> Iterator[batch_verdict.Finding]:
    if holders:
        who = "; ".join(dict.fromkeys(holders))
        left = f"{waiting:,} of {count:,} jobs have no result yet" if waiting else "every job has a result"
        reason = f"the batch is still running ({who}): {left}, and this is not its verdict"
        yield batch_verdict.Finding(FAILED, reason)


def _unstarted(results: Sequence[JobResult], runs: Sequence[Report]) -> list[Report]:
    """Return the reports of runs that ended before they had a plan, unless later ones tell of every job."""
    started = [run for run in runs if not run.unstarted]
    ends = [_time(run.finished_at) if (run := _last_telling(r, started)) else None for r in results]
    return [
        run
        for run in runs
        if run.unstarted and not (ends and all(end and end >= _time(run.finished_at) for end in ends))
    ]


def _never_began(unstarted: Iterable[Report]) -> Iterator[batch_verdict.Finding]:
    told = {reason: run.exit_code for run in unstarted for reason in run.unstarted}
    for reason, code in told.items():
        exit_code = code if code in batch_verdict.PRECEDENCE else BAD_USAGE
        sentence = f"the last run did not start, so the results are of earlier ones: {reason}"
        yield batch_verdict.Finding(exit_code, sentence)


def _runs(sources: Iterable[OutputPaths]) -> list[Report]:
    """Return the reports that runs left, the latest first; one that cannot be read tells nothing."""
    reports = [report for source in sources for path in source.reports for report in _readable(path)]
    return sorted(reports, key=lambda report: _time(report.finished_at), reverse=True)


def _readable(path: Path) -> Iterator[Report]:
    with suppress(OSError, ValueError):
        yield Report.from_json(read_regular(path))


def _last_telling(result: JobResult, runs: Sequence[Report]) -> Report | None:
    """Return the latest report that holds this very result, however it was judged then."""
    for run in runs:
        entry = _entries(run).get(result.name)
        if entry is not None and _measured(entry) == _measured(result):
            return run
    return None


def _measured(result: JobResult) -> JobResult:
    """Return a result without its verdict, and without the list of its files, which may be made again."""
    return replace(result.without_verdict(), artifacts=())


def _entries(report: Report) -> dict[str, JobResult]:
    return {job.name: job for job in report.jobs}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
