"""Series of each metric of each job over many runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from job.evaluation.text_scores import recorded_tokenization
from job.metrics import METRICS, possible_range
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.trend.change_points import ALPHA, Level, find_levels
from job.trend.runs import Run


@dataclass(frozen=True)
class Series:
    """A metric of a job over the runs that measured it.

    Args:
        job, metric: their names.
        runs: 0-based numbers of the runs.
        values: one per run.
        levels: see `find_levels`; they count values, not runs.
    """

    job: str
    metric: str
    runs: tuple[int, ...]
    values: tuple[float, ...]
    levels: tuple[Level, ...]


def all_series(runs: Sequence[Run], alpha: float = ALPHA) -> list[Series]:
    """Return the series of the last run's jobs, then of other jobs, metrics in the order of `METRICS`.

    A run counts for a job that it trained itself; a reused result adds no information. Results from before
    the job's problem changed are not comparable, and are left out.

    Args:
        runs: in the order of time.
        alpha: see `find_levels`.
    """
    measured: dict[str, list[tuple[int, JobResult]]] = {}
    for number, run in reversed([*enumerate(runs)]):
        for job in _results(run.report):
            if _measures(job):
                measured.setdefault(job.name, []).insert(0, (number, job))
    return [
        series
        for name, results in measured.items()
        for series in _job_series(name, _of_last_problem(results), alpha)
    ]


def _results(report: Report) -> Iterator[JobResult]:
    """Yield a report's jobs, and for each job with several seeds another one with the means."""
    yield from report.jobs
    jobs = {job.name: job for job in report.jobs}
    for seeds in report.seeds:
        if not seeds.absent and jobs.keys() >= set(seeds.jobs) and seeds.jobs:
            yield replace(
                jobs[seeds.jobs[0]],
                name=f"{seeds.name}, mean of seeds",
                metrics={metric.metric: metric.mean for metric in seeds.metrics},
                timings={},
                reused=all(jobs[name].reused for name in seeds.jobs),
            )


def _measures(job: JobResult) -> bool:
    """Return whether the run of a result measured the job itself."""
    return bool(job.metrics) and not job.reused


def _of_last_problem(results: Sequence[tuple[int, JobResult]]) -> list[tuple[int, JobResult]]:
    """Return the results for the problem of the last one; older reports do not name their problem."""
    last = _last_problem(job for _, job in results)
    return [(number, job) for number, job in results if _same_problem(job, last)]


def _last_problem(results: Iterable[JobResult]) -> JobResult | None:
    """Return the last result that names its problem, if any does."""
    named = [job for job in results if job.problem_fingerprint]
    return named[-1] if named else None


def _same_problem(job: JobResult, last: JobResult | None) -> bool:
    """Return whether a result measures what the last one does: the same problem or the same test examples."""
    if last is None or job.problem_fingerprint in ("", last.problem_fingerprint):
        return True
    return job.test_fingerprint == last.test_fingerprint != ""


def _same_measure(metric: str, job: JobResult, last: JobResult) -> bool:
    """Return whether a metric of two results counts the same: BLEU may split texts in two ways."""
    if metric != "bleu":
        return True
    was, now = (recorded_tokenization(result.data.signatures) for result in (job, last))
    return was == now


def _job_series(name: str, results: Sequence[tuple[int, JobResult]], alpha: float) -> Iterator[Series]:
    for metric in METRICS:
        points = [
            (number, {**job.timings, **job.metrics}[metric])
            for number, job in results
            if (metric in job.metrics or metric in job.timings) and _same_measure(metric, job, results[-1][1])
        ]
        if points:
            numbers, values = zip(*points, strict=True)
            levels = find_levels(values, alpha, possible_range(metric))
            yield Series(name, metric, numbers, values, levels)


# --- runs that do not count ---------------------------------------------------------------------------------

_OUTCOMES = {
    "passed": "measured nothing",
    "gate_failed": "measured nothing",
    "failed": "failed",
    "interrupted": "was interrupted",
}


def uncounted_runs(runs: Sequence[Run]) -> dict[str, str]:
    """Return a sentence for each job that some runs do not count for: how many, by reason."""
    results = [{job.name: job for job in run.report.jobs} for run in runs]
    found = {}
    for name in dict.fromkeys(name for jobs in reversed(results) for name in jobs):
        last = _last_problem(jobs[name] for jobs in results if name in jobs and _measures(jobs[name]))
        reasons = Counter(
            reason
            for run, jobs in zip(runs, results, strict=True)
            if (reason := _why_uncounted(run.report, name, jobs.get(name), last))
        )
        if reasons:
            listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            found[name] = f"{name}: {sum(reasons.values())} of {len(runs)} runs do not count for it: {listed}"
    return found


def _why_uncounted(report: Report, name: str, job: JobResult | None, last: JobResult | None) -> str:
    """Return why a run does not count for a job; empty if it does."""
    if job is None:
        return "without a result of it" if name in report.missing else "without this job"
    if not _measures(job):
        return "that reused an earlier result" if job.reused else f"in which it {_OUTCOMES[job.status]}"
    return "" if _same_problem(job, last) else "of another problem under its name"
