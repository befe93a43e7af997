"""The reports that runs have left, from which a merge takes what results do not record."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from job.results.batch_report import Report, SetAside
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.storage.artifacts import OutputPaths
from job.storage.documents import read_regular


@dataclass(frozen=True)
class RunReports:
    """The reports of earlier runs, matched with the results of a batch.

    Args:
        of_results: by job name, the latest report with this very result, whatever its verdict was then;
            results without one are missing.
        unstarted: reports of runs that ended before they had a plan, unless later runs report every job.
    """

    of_results: dict[str, Report]
    unstarted: tuple[Report, ...]

    def started_at(self, default: datetime) -> datetime:
        """Return when the first run began."""
        return min([_time(run.started_at) for run in self.of_results.values()], default=default)

    def finished_at(self, default: datetime) -> datetime:
        """Return when the last run ended."""
        runs = (*self.of_results.values(), *self.unstarted)
        return max([_time(run.finished_at) for run in runs], default=default)

    def comparison(self, name: str) -> Comparison | None:
        """Return the comparison in the report of a job's run, None if there is none."""
        return self.of_results[name].comparison if name in self.of_results else None

    def was_reused(self, name: str) -> bool:
        """Return whether a job's run reused its result; also if no run's report has it: it is an old one."""
        return name not in self.of_results or _by_name(self.of_results[name])[name].reused

    @property
    def unstarted_reasons(self) -> list[str]:
        """Why runs did not start, each reason once."""
        return [*dict.fromkeys(reason for run in self.unstarted for reason in run.unstarted)]

    @property
    def set_aside(self) -> list[SetAside]:
        """What the runs set aside, each entry once."""
        return [*dict.fromkeys(aside for run in self.of_results.values() for aside in run.set_aside)]


def read_run_reports(sources: Iterable[OutputPaths], results: Sequence[JobResult]) -> RunReports:
    """Read the reports in output directories; a report that cannot be read counts as missing.

    Args:
        sources: the output directories.
        results: of the batch.
    """
    reports = [report for source in sources for path in source.reports for report in _readable(path)]
    runs = sorted(reports, key=lambda report: _time(report.finished_at), reverse=True)
    latest = {result.name: run for result in results if (run := _latest(result, runs))}
    return RunReports(latest, tuple(_unstarted(results, runs)))


def _readable(path: Path) -> Iterator[Report]:
    with suppress(OSError, ValueError):
        yield Report.from_json(read_regular(path))


def _unstarted(results: Sequence[JobResult], runs: Sequence[Report]) -> list[Report]:
    started = [run for run in runs if not run.unstarted]
    ends = [_time(run.finished_at) if (run := _latest(r, started)) else None for r in results]
    return [
        run
        for run in runs
        if run.unstarted and not (ends and all(end and end >= _time(run.finished_at) for end in ends))
    ]


def _latest(result: JobResult, runs: Sequence[Report]) -> Report | None:
    for run in runs:
        recorded = _by_name(run).get(result.name)
        if recorded is not None and _measured(recorded) == _measured(result):
            return run
    return None


def _measured(result: JobResult) -> JobResult:
    """Return a result without its verdict and the list of its files, some of which may be made again."""
    return replace(result.without_verdict(), artifacts=())


def _by_name(report: Report) -> dict[str, JobResult]:
    return {job.name: job for job in report.jobs}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
