"""A batch and the baseline that it is held against."""

from __future__ import annotations

from pathlib import Path

from job.batch.plan import read_plan
from job.comparison.compare import Candidate, check_comparable, compare, recorded_gate
from job.comparison.recorded import RecordedBatch, read_recorded
from job.errors import BaselineError, OutputError
from job.results import Comparison


def compare_recorded(baseline: Path, candidate: Path) -> Comparison:
    """Hold a batch on disk against another; each is an output directory, or a `report.json` alone.

    Raises:
        BaselineError: the baseline is missing, cannot be read, or has none of the candidate's jobs.
        OutputError: the candidate is missing or cannot be read.
    """
    before = read_recorded(baseline)
    try:
        now = read_recorded(candidate, "candidate")
    except BaselineError as error:
        raise OutputError(str(error)) from error
    planned = _planned(now)
    check_comparable(before, [], planned)
    gates = {result.name: recorded_gate(result) for result in now.report.jobs}
    return compare(before, Candidate(now.report.jobs, now.output, planned, gates, now.report.missing))


def _planned(batch: RecordedBatch) -> set[str]:
    """Return the names of all jobs of a batch's spec, as far as what it left tells them."""
    names = {*batch.results, *batch.report.missing}
    try:
        return names | read_plan(batch.output.plan).keys()
    except (OSError, ValueError):  # a report.json alone
        return names
