"""A batch and the baseline that it is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from job import artifacts, gates
from job.artifacts import OutputPaths, prepare_output
from job.batch.lock import lock_output
from job.batch.plan import PlannedJob, read_plan, write_marks
from job.comparison.compare import Candidate, check_comparable, compare, recorded_gate
from job.comparison.recorded import RecordedBatch, read_recorded
from job.errors import BaselineError, OutputError
from job.reports.build import build_report
from job.reports.writing import write_reports
from job.results import Comparison, JobResult, Report

# --- of a run -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RunBaseline:
    """What a run is held against.

    Args:
        recorded: the earlier batch.
        planned: names of all jobs of the spec.
    """

    recorded: RecordedBatch
    planned: tuple[str, ...]

    def compare(
        self, results: Sequence[JobResult], output: OutputPaths, plan: Sequence[PlannedJob]
    ) -> Comparison:
        """Hold the results of a run against it, by what the spec says counts as a change."""
        gates = {planned.job.name: planned.job.gate for planned in plan}
        present = {result.name for result in results}
        missing = [name for name in gates if name not in present]
        return compare(self.recorded, Candidate(results, output, self.planned, gates, missing))


def check_baseline(
    path: Path,
    output: OutputPaths,
    plan: Sequence[PlannedJob],
    chosen: Sequence[PlannedJob],
    *,
    sharded: bool,
) -> RunBaseline:
    """Read a baseline, and see before anything is trained that the jobs can be held against it.

    Args:
        path: an output directory, or a `report.json`.
        output: where the run will write.
        plan: all jobs of the spec.
        chosen: those that are to be run.
        sharded: whether they are a part of those that were asked for; its jobs may all be new ones.

    Raises:
        BaselineError: it cannot be.
    """
    recorded = _read_elsewhere(path, output)
    planned = tuple(p.job.name for p in plan)
    jobs = [(p.job.name, p.problem_fingerprint, p.job.model_dump(mode="json")) for p in chosen]
    check_comparable(recorded, jobs, planned if sharded else [name for name, *_ in jobs])
    return RunBaseline(recorded, planned)


def _read_elsewhere(path: Path, output: OutputPaths) -> RecordedBatch:
    """Read a baseline that does not lie where results are written: they would be held against themselves."""
    root = output.root.resolve()
    if root in (path.resolve(), path.resolve().parent):
        raise BaselineError(
            f"baseline {path} lies in the output directory, where this batch puts its own results; copy it "
            "elsewhere, or choose another directory with --output-dir"
        )
    return read_recorded(path)


# --- of what is on disk -------------------------------------------------------------------------------------


def compare_merged(
    path: Path, output: OutputPaths, planned: Sequence[str], results: Sequence[JobResult]
) -> Comparison:
    """Hold the gathered results of a batch against a baseline; arguments as of `check_baseline`.

    Raises:
        BaselineError: it is missing, cannot be read, or has none of the jobs.
    """
    recorded = _read_elsewhere(path, output)
    check_comparable(recorded, [], planned)
    present = {result.name for result in results}
    settings = {result.name: recorded_gate(result) for result in results}
    missing = [name for name in planned if name not in present]
    return compare(recorded, Candidate(results, output, planned, settings, missing))


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
    settings = {result.name: recorded_gate(result) for result in now.report.jobs}
    return compare(before, Candidate(now.report.jobs, now.output, planned, settings, now.report.missing))


def _planned(batch: RecordedBatch) -> set[str]:
    """Return the names of all jobs of a batch's spec, as far as what it left tells them."""
    names = {*batch.results, *batch.report.missing}
    try:
        return names | read_plan(batch.output.plan).keys()
    except (OSError, ValueError):  # a report.json alone
        return names


# --- the next baseline --------------------------------------------------------------------------------------


def update_baseline(path: Path, output: OutputPaths, report: Report, planned: Sequence[str]) -> None:
    """Put the results of a batch in the place of its baseline's.

    Results of jobs that are planned but were not run stay; those of jobs that are planned no more go. What a
    directory held of a job is set aside, and only what a comparison needs is copied: no models.

    Args:
        path: the baseline, an output directory or a `report.json`.
        output: where the batch left its files.
        report: the batch's; nothing is wrong with it.
        planned: names of all jobs of the spec, in order.

    Raises:
        BaselineError: it can no longer be read.
        OutputError: somebody else writes to it.
        OSError: a file cannot be written.
    """
    before = read_recorded(path)
    found = {result.name: result for result in report.jobs}
    kept = {**before.results, **found}
    jobs = [kept[name] for name in planned if name in kept]
    updated = build_report(
        [replace(job, reused=False) for job in jobs],
        started_at=datetime.fromisoformat(report.started_at),
        finished_at=datetime.fromisoformat(report.finished_at),
        verdict=gates.decide([job.name for job in jobs], jobs),
    )
    if not path.is_dir():
        artifacts.write_text(path, updated.to_json())
        return
    baseline = prepare_output(path)
    with lock_output(baseline.root):
        for name in found:
            artifacts.adopt(output, baseline, name, to_compare=True)
        write_marks(baseline, {job.name: job.fingerprint for job in jobs})
        write_reports(baseline, updated)  # its report.json last: until then the old one tells of other files
