"""Compare a run, or a merge, with a baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from job.batch.baseline_update import finish_update
from job.batch.commit_log import with_commits
from job.batch.judging import gates_of
from job.batch.planning import PlannedJob
from job.errors import BaselineError
from job.gating.comparability import PlannedComparison, check_comparable
from job.gating.comparison import Candidate, compare
from job.gating.plan_file import PlanEntry
from job.gating.recorded_batch import RecordedBatch, check_files, read_recorded
from job.problems import build_problem
from job.problems.example_texts import example_texts, target_separator
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult
from job.results.scored_examples import ScoredExamples, fingerprint_examples
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
    jobs = [_planned_comparison(p, directory) for p in chosen]
    names = [job.name for job in jobs]
    check_comparable(recorded, jobs, planned if sharded else names)
    check_files(recorded, names)
    return RunBaseline(recorded, planned, directory)


def _planned_comparison(planned: PlannedJob, directory: Path) -> PlannedComparison:
    return PlannedComparison(
        name=planned.job.name,
        problem_fingerprint=planned.problem_fingerprint,
        spec=planned.job.model_dump(mode="json"),
        gate=planned.job.gate,
        examples=lambda: _planned_examples(planned, directory),
    )


def _planned_examples(planned: PlannedJob, directory: Path) -> ScoredExamples:
    """Return the test examples of a job that is not trained yet; reads its data again.

    Raises:
        ChangedDataError: a data file has changed since the plan was made.
    """
    problem = build_problem(planned.job.problem, planned.job.seed, directory, planned.data)
    examples = problem.examples("test", planned.job.evaluation.examples)
    texts = [*example_texts(problem, examples)]
    separator = target_separator(problem)
    return ScoredExamples(
        count=len(texts),
        fingerprint=fingerprint_examples(texts, separator),
        fingerprint_first=lambda count: fingerprint_examples(texts[:count], separator),
    )


def compare_merged(
    path: Path, output: OutputPaths, plan: Sequence[PlanEntry], results: Sequence[JobResult]
) -> Comparison:
    """Compare the gathered results of a batch with a baseline, by the gates of its plan.

    Args:
        path: of the baseline.
        output: the output directory with the results.
        plan: completed, see `judging.complete_plan`.
        results: of the batch.

    Raises:
        BaselineError: the baseline is missing, cannot be read, or has none of the jobs.
    """
    recorded = _read_elsewhere(path, output)
    planned = [entry.name for entry in plan]
    check_comparable(recorded, [], planned)
    check_files(recorded, planned)
    present = {result.name for result in results}
    missing = [name for name in planned if name not in present]
    candidate = Candidate(
        results=results, output=output, planned=planned, gates=gates_of(plan), missing=missing
    )
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
