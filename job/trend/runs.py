"""Read the reports of many runs, in the order of time."""

from __future__ import annotations

import glob
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

from job.errors import InputError
from job.reports.formatting import plain
from job.results.batch_report import Report
from job.storage.documents import read_regular, why
from job.storage.staged_update import STAGED
from job.storage.store_address import shown


@dataclass(frozen=True)
class Run:
    """A batch that left a report.

    Args:
        path: of its `report.json`.
        report: the content of that file.
    """

    path: Path
    report: Report

    @property
    def name(self) -> str:
        """The path of the report, or its URL in a store."""
        return shown(self.path)

    @property
    def commit(self) -> str | None:
        """The Git commit that the batch ran from, if a job recorded it."""
        commits = (job.environment.get("git_commit") for job in self.report.jobs)
        return next(filter(None, commits), None)

    @cached_property
    def finished(self) -> datetime:
        """When the batch ended."""
        time = datetime.fromisoformat(self.report.finished_at)
        return time if time.tzinfo else time.replace(tzinfo=timezone.utc)

    @cached_property
    def job_faults(self) -> Mapping[str, str]:
        """What is bad about each job that failed, is missing, or is worse than its baseline, by its name."""
        report = self.report
        compared = report.comparison.jobs if report.comparison else ()
        faults = {job.name: "regression" for job in compared if job.verdict == "regression"}
        faults |= {job.name: plain(job.status) for job in report.jobs if job.status != "passed"}
        return faults if report.running else faults | dict.fromkeys(report.missing, "missing")


@dataclass(frozen=True)
class SkippedReport:
    """A report that does not count as a run of the trend.

    Args:
        path: of the report.
        reason: why it is skipped, as a clause.
        duplicate: whether another report is of the same run; otherwise it cannot be read.
    """

    path: Path
    reason: str
    duplicate: bool = False

    def __str__(self) -> str:
        return f"{shown(self.path)}: left out: {self.reason}"


def read_runs(places: Sequence[str]) -> tuple[list[Run], list[SkippedReport]]:
    """Read reports, and sort them by the time at which their batches ended.

    Args:
        places: each a `report.json`, a directory that contains reports at any depth, or a glob of these.

    Returns:
        the runs, and the reports that are skipped: unreadable ones, and all but one of several reports of the
        same run. Of these a report of a failure is kept.

    Raises:
        InputError: a place has no report, or none can be read.
    """
    found: dict[Path, Path] = {}
    for place in places:
        matches = sorted(glob.glob(place)) or [place]
        paths = [path for match in matches for path in sorted(_reports(Path(match)))]
        if not paths:
            raise InputError(f"{place}: expected a report.json, or a directory or glob with some in it")
        found |= {path.resolve(): path for path in paths}
    runs, skipped = [], []
    for path in found.values():
        try:
            runs.append(Run(path, Report.from_json(read_regular(path))))
        except (OSError, ValueError) as error:
            skipped.append(SkippedReport(path, why(error)))
    if not runs:
        raise InputError("no report can be read\n" + "\n".join(map(str, skipped)))
    runs, duplicates = _without_duplicates(runs)
    return sorted(runs, key=lambda run: (run.finished, str(run.path))), [*skipped, *duplicates]


def _reports(place: Path) -> Iterable[Path]:
    if place.is_file():
        return [place]
    own = place / "report.json"
    if own.is_file():
        return [own]
    found = place.rglob("report.json")  # without those of an interrupted update
    return [path for path in found if STAGED not in path.parts]


def _without_duplicates(runs: Sequence[Run]) -> tuple[list[Run], list[SkippedReport]]:
    kept: dict[Hashable, Run] = {}
    skipped = []
    for run in sorted(runs, key=lambda run: (run.report.running, not run.report.exit_code, str(run.path))):
        first = kept.setdefault(_identity(run.report), run)
        if first is not run:
            skipped.append(SkippedReport(run.path, f"it is of the same run as {first.name}", duplicate=True))
    return [*kept.values()], skipped


def _identity(report: Report) -> Hashable:
    """Return what all reports of a run have in common, even if its results were judged differently."""
    jobs = [
        (job.name, job.fingerprint, tuple(sorted({**job.metrics, **job.timings}.items())))
        for job in report.jobs
    ]
    return report.started_at, report.finished_at, tuple(sorted(jobs))
