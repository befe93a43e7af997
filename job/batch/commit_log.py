"""The commits between a batch and its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from job.gating.recorded_batch import common_commit
from job.process.git import commits_between
from job.results.comparison_records import Comparison
from job.results.job_result import JobResult


def with_commits(comparison: Comparison, results: Sequence[JobResult], directory: Path) -> Comparison:
    """Return a comparison with the commits between its two sides, as far as git knows them.

    Args:
        comparison: with the baseline.
        results: of the candidate.
        directory: in the repository of the spec.
    """
    commits, count = commits_between(directory, comparison.baseline_commit, common_commit(results))
    return replace(comparison, commits=tuple(commits), commit_count=count)
