"""A trend -> its verdict: bad, unproven or good.

It is `bad` (red) where a run of the window is bad, or a metric changed for the worse beyond chance and has
not come back. A run is bad where its exit code is not 0 or what it records would give another one: a job
failed or is missing, a gate failed, something is worse than the baseline. It is `unproven` (amber) where
nothing is bad but something is not settled: a metric looks worse in too few runs to tell, a run was
interrupted, a report cannot be read. Only else it is `good` (green).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from job.errors import GATE_FAILED, OK, SIGHUP_EXIT, SIGINT_EXIT, SIGTERM_EXIT
from job.gating.batch_verdict import decide
from job.reports.formatting import plain, quantity
from job.results.records import JobResult, Report
from job.trend.metric_series import Change, LeftOut, Run, Series, first_bad
from job.trend.unproven import Suspicion, suspicions

Outlook = Literal["good", "unproven", "bad"]

_INTERRUPTED = (SIGHUP_EXIT, SIGINT_EXIT, SIGTERM_EXIT)


@dataclass(frozen=True)
class TrendVerdict:
    """What a trend comes to.

    Args:
        outlook: see the module.
        headline: the verdict in one line.
        details: what else is to be said of it, a sentence each.
        bad_runs: the numbers of the runs that are bad themselves, from 0.
    """

    outlook: Outlook
    headline: str
    details: tuple[str, ...] = ()
    bad_runs: tuple[int, ...] = ()

    @property
    def exit_code(self) -> int:
        """That of `trend --fail-on-change`."""
        return GATE_FAILED if self.outlook == "bad" else OK


def judge_trend(
    runs: Sequence[Run], series: Sequence[Series], left_out: Sequence[LeftOut] = ()
) -> TrendVerdict:
    """Judge a trend.

    Args:
        runs: in the order of time.
        series: of them.
        left_out: reports that are no runs of it.
    """
    faults = {number: fault for number, run in enumerate(runs) if (fault := run_fault(run.report))}
    change = first_bad(series)
    doubts = [*_doubts(runs, series, left_out)]
    details = [*_left_out_lines(left_out)]
    if faults:
        details.append(_bad_runs_line(runs, [*faults]))
    if faults or change:
        details += [f"not proven: {doubt}" for doubt in doubts]
        return TrendVerdict("bad", _first_bad_line(runs, faults, change), tuple(details), tuple(faults))
    if doubts:
        more = f" ({len(doubts) - 1} more)" if doubts[1:] else ""
        details += [f"not proven: {doubt}" for doubt in doubts[1:]]
        return TrendVerdict("unproven", f"not proven: {doubts[0]}{more}", tuple(details))
    text = f"no bad run: no metric got worse for good over {number_of_runs(len(runs))}"
    return TrendVerdict("good", text, tuple(details))


def run_fault(report: Report) -> str:
    """Return what makes a run bad, as a clause; empty for one that is not."""
    if report.running or report.exit_code in _INTERRUPTED:
        ended = [job for job in report.jobs if job.status != "interrupted"]
        return "; ".join(_judged(report, ended, ())[:1])
    found = _judged(report, report.jobs, report.missing)
    if report.exit_code == OK:
        return f"exit code 0 is recorded, but {found[0]}" if found else ""
    reasons = [*report.verdict.reasons, *found]
    return f"exit code {report.exit_code}" + (f", {reasons[0]}" if reasons else "")


def _judged(report: Report, jobs: Sequence[JobResult], missing: Sequence[str]) -> tuple[str, ...]:
    """Return what is wrong with a batch by what its report records, whatever exit code that gives."""
    names = [*(job.name for job in jobs), *missing]
    return decide(names, jobs, may_be_empty=True, comparison=report.comparison, seeds=report.seeds).reasons


def _bad_runs_line(runs: Sequence[Run], bad: Sequence[int]) -> str:
    since = len(runs) - 1 - bad[-1]
    verb = "is" if len(bad) == 1 else "are"
    last = f"the last {number_of_runs(since)} ended well" if since else "so is the last one"
    if len(bad) == len(runs) == 1:
        return "the only run is bad"
    return f"{len(bad)} of {number_of_runs(len(runs))} {verb} bad ({_numbers(bad)}); {last}"


def _numbers(bad: Sequence[int]) -> str:
    shown = ", ".join(str(number + 1) for number in bad[:20])
    return f"{shown}, ..." if bad[20:] else shown


def _first_bad_line(runs: Sequence[Run], faults: dict[int, str], change: Change | None) -> str:
    number = min([*faults, *([change.run] if change else [])])
    run, reasons = runs[number], []
    if number in faults:
        reasons.append(faults[number])
    if change and change.run == number:
        reasons.append(f"{plain(change.series.metric)} of {change.series.job}")
    commit = f", commit {run.commit}" if run.commit else ""
    last_good = f"; the run before it is {runs[number - 1].path}" if number else ""
    return (
        f"first bad run: {number + 1} of {len(runs)}, {run.path}, finished {run.report.finished_at}"
        f"{commit}: {'; '.join(reasons)}{last_good}"
    )


def _doubts(runs: Sequence[Run], series: Sequence[Series], left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Yield a clause for each thing that keeps a trend without bad runs from being good."""
    yield from (describe(found, runs) for found in suspicions(series))
    for number, run in enumerate(runs, 1):
        if run.report.running:
            yield f"run {number} of {len(runs)} was still running when its report was written"
        elif run.report.exit_code in _INTERRUPTED:
            yield f"run {number} of {len(runs)} was interrupted, exit code {run.report.exit_code}"
    unread = sum(not each.duplicate for each in left_out)
    if unread:
        yield f"{unread} report{'' if unread == 1 else 's'} cannot be read"
    if not series:
        yield "no run measured anything"


def describe(found: Suspicion, runs: Sequence[Run]) -> str:
    """Return an unproven change as a clause."""
    name = found.series.metric
    before, after = (quantity(name, sum(side) / len(side)) for side in (found.before, found.after))
    return (
        f"{plain(name)} of {found.series.job} may be worse from run {found.run + 1} of {len(runs)} on: "
        f"{before} over {number_of_runs(len(found.before))}, then {after} over "
        f"{number_of_runs(len(found.after))}, which are too few to tell it from chance"
    )


def _left_out_lines(left_out: Sequence[LeftOut]) -> Iterator[str]:
    """Yield how many reports are left out, and why."""
    for duplicate, why in ((False, "cannot be read"), (True, "of a run that another report is of")):
        count = sum(each.duplicate == duplicate for each in left_out)
        if count:
            yield f"left out: {count} report{'' if count == 1 else 's'}, {why}"


def number_of_runs(count: int) -> str:
    """Return a count of runs in words."""
    return f"{count} run" if count == 1 else f"{count} runs"
