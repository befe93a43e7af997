"""What is compared of a job that is not trained yet: its problem, its gate and its test examples."""

from __future__ import annotations

from pathlib import Path

from job.batch.planning import PlannedJob
from job.gating.comparability import PlannedComparison
from job.problems import build_problem
from job.problems.example_texts import example_texts, target_separator
from job.results.scored_examples import ScoredExamples, fingerprint_examples


def planned_comparison(planned: PlannedJob, directory: Path, cache: Path) -> PlannedComparison:
    """Return what must be known of a job to check that it can be compared with a baseline.

    Args:
        planned: the job, which is not trained yet.
        directory: the spec directory.
        cache: the directory of the cache of tokenized data.
    """
    return PlannedComparison(
        name=planned.job.name,
        problem_fingerprint=planned.problem_fingerprint,
        spec=planned.job.model_dump(mode="json"),
        gate=planned.job.gate,
        examples=lambda: _planned_examples(planned, directory, cache),
    )


def _planned_examples(planned: PlannedJob, directory: Path, cache: Path) -> ScoredExamples:
    """Return the test examples of a job that is not trained yet; reads its data again.

    Raises:
        ChangedDataError: a data file has changed since the plan was made.
    """
    job = planned.job
    problem = build_problem(job.problem, job.seed, directory, planned.data, cache, copies=job.model.pointer)
    examples = problem.examples("test", job.evaluation.examples)
    texts = [*example_texts(problem, examples)]
    separator = target_separator(problem)
    return ScoredExamples(
        count=len(texts),
        fingerprint=fingerprint_examples(texts, separator),
        fingerprint_first=lambda count: fingerprint_examples(texts[:count], separator),
    )
