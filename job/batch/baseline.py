"""Compare a run, or a merge, with a baseline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.commit_log import with_commits
from job.batch.planned_comparison import planned_comparison
from job.batch.planning import PlannedJob
from job.errors import BaselineError
from job.gating.comparability import check_comparable
from job.gating.comparison import Candidate, compare
from job.gating.recorded_batch import RecordedBatch, check_files, read_recorded
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.spec.gate_section import GateSpec
from job.storage.artifacts import OutputPaths


@dataclass(frozen=True)
class RunBaseline:
    """The baseline of a run, checked before training.

    Args:
        recorded: the earlier batch.
        planned: names of all jobs of the spec.
        directory: the spec directory.
    """

    recorded: RecordedBatch
    planned: tuple[str, ...]
    directory: Path

    def compare(
        self, results: Sequence[JobResult], output: OutputPaths, plan: Sequence[PlannedJob]
    ) -> Comparison:
        """Compare the results of the run with the baseline, by the gates of the spec."""
        gates = {planned.job.name: planned.job.gate for planned in plan}
        present = {result.name for result in results}
        missing = [name for name in gates if name not in present]
        candidate = Candidate(
            results=results, output=output, planned=self.planned, gates=gates, missing=missing
        )
        return with_commits(compare(self.recorded, candidate), results, self.directory)


def check_baseline(
    path: Path,
    output: OutputPaths,
    plan: Sequence[PlannedJob],
    chosen: Sequence[PlannedJob],
    directory: Path,
    *,
    sharded: bool,
) -> RunBaseline:
    """Read a baseline, and check before training that the jobs can be compared with it.

    Args:
        path: an output directory or a `report.json`.
        output: the run's output directory.
        plan: all jobs of the spec.
        chosen: the jobs to run.
        directory: the spec directory.
        sharded: whether other shards run the rest of the jobs; then the baseline may have none of the chosen.

    Raises:
        BaselineError: the baseline cannot be read, or the jobs cannot be compared with it.
    """
    recorded = _read_elsewhere(path, output)
    planned = tuple(p.job.name for p in plan)
    jobs = [planned_comparison(p, directory, output.cache) for p in chosen]
    names = [job.name for job in jobs]
    check_comparable(recorded, jobs, planned if sharded else names)
    check_files(recorded, names)
    return RunBaseline(recorded, planned, directory)


def compare_merged(
    path: Path,
    output: OutputPaths,
    planned: Sequence[str],
    gates: Mapping[str, GateSpec],
    results: Sequence[JobResult],
) -> Comparison:
    """Compare the gathered results of a batch with a baseline, by the gates of its plan.

    Args:
        path: of the baseline.
        output: the output directory with the results.
        planned: names of all jobs of the plan.
        gates: by job name; of a completed plan, see `judging.complete_plan`.
        results: of the batch.

    Raises:
        BaselineError: the baseline is missing, cannot be read, or has none of the jobs.
    """
    recorded = _read_elsewhere(path, output)
    check_comparable(recorded, [], planned)
    check_files(recorded, planned)
    present = {result.name for result in results}
    missing = [name for name in planned if name not in present]
    candidate = Candidate(results=results, output=output, planned=planned, gates=gates, missing=missing)
    return with_commits(compare(recorded, candidate), results, Path.cwd())


def _read_elsewhere(path: Path, output: OutputPaths) -> RecordedBatch:
    """Read a baseline outside the output directory: inside, results would be compared with themselves."""
    root = output.root.resolve()
    if root in (path.resolve(), path.resolve().parent):
        raise BaselineError(
            f"baseline {path} lies in the output directory, where this batch puts its own results; copy it "
            "elsewhere, or choose another directory with --output-dir"
        )
    finish_update(path)
    return read_recorded(path)
