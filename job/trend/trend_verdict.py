"""Judge a trend: bad, unproven or good.

It is `bad` (red) if one of the runs is bad, or a metric of the test changed for the worse beyond chance and
did not recover. A run is bad if its exit code is not 0, or if its recorded results should have given another
one: a job failed or is missing, a gate failed, something is worse than the baseline. The trend is `unproven`
(amber) if nothing is bad but something is open: a metric of the test looks worse in too few runs to tell, a
run was interrupted, a report cannot be read. Otherwise it is `good` (green). Timings and metrics of
validation are shown, but not judged: gates and baselines are about the test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from job.errors import GATE_FAILED, OK, STOP_EXITS
from job.gating.batch_verdict import decide
from job.reports.formatting import plain
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.trend.metric_changes import Change, SuspectedChange, first_lasting_decline, suspected_changes
from job.trend.metric_series import Series
from job.trend.run_differences import run_differences
from job.trend.runs import Run, SkippedReport
from job.trend.trend_content import number_of_runs, suspicion

Outlook = Literal["good", "unproven", "bad"]


@dataclass(frozen=True)
class TrendVerdict:
    """The verdict on a trend.

    Args:
        outlook: see the module.
        headline: the verdict in one line.
        details: further sentences.
        bad_runs: 0-based numbers of the runs that are bad themselves.
    """

    outlook: Outlook
    headline: str
    details: tuple[str, ...] = ()
    bad_runs: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """The exit code of `trend --fail-on-change`."""
        return GATE_FAILED if self.outlook == "bad" else OK


def judge_trend(
    runs: Sequence[Run], series: Sequence[Series], skipped: Sequence[SkippedReport] = ()
) -> TrendVerdict:
    """Judge a trend.

    Args:
        runs: in the order of time.
        series: of these runs.
        skipped: reports that do not count as runs.
    """
    faults = {number: fault for number, run in enumerate(runs) if (fault := run_fault(run.report))}
    change = first_lasting_decline(series)
    doubts = [*_doubts(runs, series, skipped)]
    details = [*_skipped_sentences(skipped)]
    if faults:
        details.append(_bad_runs_sentence(runs, [*faults]))
    if faults or change:
        details += _changes_before(runs, _first_bad(faults, change))
        details += [f"not proven: {doubt}" for doubt in doubts]
        return TrendVerdict("bad", _first_bad_run(runs, faults, change), tuple(details), tuple(faults))
    if doubts:
        more = f" ({len(doubts) - 1} more)" if doubts[1:] else ""
        details += [f"not proven: {doubt}" for doubt in doubts[1:]]
        return TrendVerdict("unproven", f"not proven: {doubts[0]}{more}", tuple(details))
    text = f"no bad run: no metric of the test got worse for good over {number_of_runs(len(runs))}"
    return TrendVerdict("good", text, tuple(details))


def run_fault(report: Report) -> str:
    """Return what makes a run bad, as a clause; empty if it is not bad."""
    if report.running or report.exit_code in STOP_EXITS:
        ended = [job for job in report.jobs if job.status != "interrupted"]
        return "; ".join(_reasons(report, ended, ())[:1])
    found = _reasons(report, report.jobs, report.missing)
    if report.exit_code == OK:
        return f"exit code 0 is recorded, but {found[0]}" if found else ""
    reasons = [*report.verdict.reasons, *found]
    return f"exit code {report.exit_code}" + (f", {reasons[0]}" if reasons else "")


def _reasons(report: Report, jobs: Sequence[JobResult], missing: Sequence[str]) -> tuple[str, ...]:
    """Return the reasons for which the recorded results of a batch would give an exit code other than 0."""
    names = [*(job.name for job in jobs), *missing]
    return decide(names, jobs, may_be_empty=True, comparison=report.comparison, seeds=report.seeds).reasons


def _bad_runs_sentence(runs: Sequence[Run], bad: Sequence[int]) -> str:
    since = len(runs) - 1 - bad[-1]
    verb = "is" if len(bad) == 1 else "are"
    last = f"the last {number_of_runs(since)} ended well" if since else "so is the last one"
    if len(bad) == len(runs) == 1:
        return "the only run is bad"
    return f"{len(bad)} of {number_of_runs(len(runs))} {verb} bad ({_numbers(bad)}); {last}"


def _numbers(bad: Sequence[int]) -> str:
    shown = ", ".join(str(number + 1) for number in bad[:20])
    return f"{shown}, ..." if bad[20:] else shown


def _first_bad(faults: dict[int, str], change: Change | None) -> int:
    """Return the 0-based number of the first bad run, of which there is one."""
    return min([*faults, *([change.run] if change else [])])


def _changes_before(runs: Sequence[Run], number: int) -> list[str]:
    """Return a sentence for each thing that changed between a run and the one before it."""
    if not number:
        return []
    lines = run_differences(runs[number - 1], runs[number])
    return [f"changed from run {number} to run {number + 1}: {line}" for line in lines]


def _first_bad_run(runs: Sequence[Run], faults: dict[int, str], change: Change | None) -> str:
    number = _first_bad(faults, change)
    run, reasons = runs[number], []
    if number in faults:
        reasons.append(faults[number])
    if change and change.run == number:
        reasons.append(f"{plain(change.series.metric)} of {change.series.job}")
    commit = f", commit {run.commit[:12]}" if run.commit else ""
    last_good = f"; the run before it is {runs[number - 1].name}" if number else ""
    return (
        f"first bad run: {number + 1} of {len(runs)}, {run.name}, finished {run.report.finished_at}"
        f"{commit}: {'; '.join(reasons)}{last_good}"
    )


def _doubts(runs: Sequence[Run], series: Sequence[Series], skipped: Sequence[SkippedReport]) -> Iterator[str]:
    """Yield a clause for each reason why a trend without bad runs is not good."""
    suspected: dict[tuple[str, int], list[SuspectedChange]] = {}
    for found in suspected_changes(series):
        suspected.setdefault((found.series.job, found.run), []).append(found)
    for first, *others in suspected.values():
        more = f"{len(others)} more of its metrics" if others[1:] else "another of its metrics"
        yield suspicion(first, runs) + (f"; so may {more}" if others else "")
    for number, run in enumerate(runs, 1):
        if run.report.running:
            yield f"run {number} of {len(runs)} was still running when its report was written"
        elif run.report.exit_code in STOP_EXITS:
            yield f"run {number} of {len(runs)} was interrupted, exit code {run.report.exit_code}"
    unread = sum(not each.duplicate for each in skipped)
    if unread:
        yield f"{unread} report{'' if unread == 1 else 's'} cannot be read"
    if not series:
        yield "no run measured anything"


def _skipped_sentences(skipped: Sequence[SkippedReport]) -> Iterator[str]:
    """Yield how many reports are skipped, and why."""
    for duplicate, why in ((False, "cannot be read"), (True, "of a run that another report is of")):
        count = sum(each.duplicate == duplicate for each in skipped)
        if count:
            yield f"left out: {count} report{'' if count == 1 else 's'}, {why}"
