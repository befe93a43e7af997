"""Reports of many runs, one a night, for tests of `job.trend`."""

from dataclasses import replace
from datetime import datetime, timezone

from job.results.job_result import JobResult
from job.results.validation_result import ValidationResult
from job.trend.metric_series import all_series
from job.trend.runs import read_runs

START = datetime(2026, 3, 1, 1, 0, tzinfo=timezone.utc)


def a_job(name="tutorial", problem="p1", reused=False, commit="abc", timings=None, **metrics):
    return JobResult(
        name,
        "passed",
        "f" * 64,
        7,
        {},
        metrics=metrics,
        timings=timings or {},
        environment={"git_commit": commit},
        problem_fingerprint=problem,
        reused=reused,
    )


def accuracies(*values):
    return [[a_job(sequence_accuracy=value)] for value in values]


def validated(job, signatures=None, fingerprint="", **metrics):
    """Add metrics of validation to a job."""
    validation = ValidationResult(
        examples=50, metrics=metrics, signatures=signatures or {}, fingerprint=fingerprint
    )
    return replace(job, validation=validation)


def read(place):
    runs, skipped = read_runs([str(place)])
    assert skipped == []
    return runs, all_series(runs)


def noisy(count, level):
    return [level + 0.001 * (i * 7 % 5 - 2) for i in range(count)]
