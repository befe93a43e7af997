"""The rule for jobs with the same training: the model of the first one that is trained is that of all."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from job.results.job_result import JobResult


def first_trained(names: Sequence[str], results: Mapping[str, JobResult]) -> JobResult | None:
    """Return the result of the first of these jobs that is trained; None if none is.

    Args:
        names: of the jobs with the same training.
        results: of the jobs that have ended, by name.
    """
    ended = (results[name] for name in names if name in results)
    return next((result for result in ended if result.finished), None)


def awaits_model(names: Sequence[str], results: Mapping[str, JobResult], pending: Container[str]) -> bool:
    """Return whether a job waits: none of the others with its training is trained, but one may still be.

    Args:
        names: of those others.
        results: of the jobs that have ended, by name.
        pending: names of the jobs that have not ended.
    """
    return any(name in pending for name in names) and first_trained(names, results) is None
