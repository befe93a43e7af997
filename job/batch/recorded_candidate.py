"""A batch on disk that is compared with another, or one of whose jobs is: its results, judged by its plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.judging import complete_plan, judge_by_plan
from job.errors import BaselineError, DamagedResultError, OutputError
from job.gating.plan_file import PlanEntry, read_entries
from job.gating.recorded_batch import RecordedBatch, check_files, read_recorded
from job.results.job_result import JobResult


@dataclass(frozen=True)
class RecordedCandidate:
    """A candidate read from disk.

    Args:
        batch: its report and results.
    """

    batch: RecordedBatch

    @cached_property
    def entries(self) -> dict[str, PlanEntry]:
        """The plan beside the report; empty if there is none, as for a `report.json` alone."""
        try:
            return read_entries(self.batch.output.plan)
        except (OSError, ValueError):
            return {}

    def judged(self, results: Iterable[JobResult]) -> tuple[list[JobResult], list[PlanEntry]]:
        """Return results judged by the gates of the plan, and their completed entries in it."""
        found = [judge_by_plan(self._entry(result), result) for result in results]
        entries = {r.name: self._entry(r) or PlanEntry(r.name, r.fingerprint) for r in found}
        return found, complete_plan(entries, found)

    def check_files(self, names: Iterable[str]) -> None:
        """Check that the files of some jobs are unchanged.

        Raises:
            DamagedResultError: a file has changed since it was recorded.
        """
        try:
            check_files(self.batch, names, "candidate")
        except BaselineError as error:
            raise DamagedResultError(str(error)) from error

    def _entry(self, result: JobResult) -> PlanEntry | None:
        """Return a job's entry in the plan; None if its fingerprint is not that of the result."""
        entry = self.entries.get(result.name)
        return entry if entry is not None and entry.fingerprint == result.fingerprint else None


def read_candidate(path: Path) -> RecordedCandidate:
    """Read a candidate, after finishing an interrupted update of it.

    Args:
        path: an output directory or a `report.json`.

    Raises:
        OutputError: it is missing or cannot be read.
    """
    finish_update(path)
    try:
        return RecordedCandidate(read_recorded(path, "candidate"))
    except BaselineError as error:
        raise OutputError(str(error)) from error
