"""Series of each metric of each job over many runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from job.evaluation.text_scores import recorded_tokenization
from job.metrics import METRICS, VALIDATION, Metric, possible_range
from job.reports.content import measured
from job.results.batch_report import Report
from job.results.job_result import JobResult
from job.trend.change_points import ALPHA, Level, find_levels
from job.trend.runs import Run

_TIMINGS = tuple(name for name, metric in METRICS.items() if metric.family == "timing")
_OF_TEST = tuple(name for name in METRICS if name not in _TIMINGS)

ORDER = (*_OF_TEST, *(f"{VALIDATION}{name}" for name in _OF_TEST), *_TIMINGS)
"""The metrics of a job in the order of its series."""


@dataclass(frozen=True)
class Series:
    """A metric of a job over the runs that measured it.

    Args:
        job, metric: their names; `validation.NAME` for a metric of the validation examples.
        runs: 0-based numbers of the runs.
        values: one per run.
        levels: see `find_levels`; they count values, not runs.
    """

    job: str
    metric: str
    runs: tuple[int, ...]
    values: tuple[float, ...]
    levels: tuple[Level, ...]

    @cached_property
    def by_run(self) -> Mapping[int, float]:
        """The value of each run that has one, by the run's number."""
        return dict(zip(self.runs, self.values, strict=True))

    @property
    def measure(self) -> str:
        """The metric's name in `METRICS`, whether it is of the test or of the validation examples."""
        return self.metric.removeprefix(VALIDATION)

    @property
    def facts(self) -> Metric:
        """What `METRICS` has about the metric."""
        return METRICS[self.measure]

    @property
    def judged(self) -> bool:
        """Whether a change for the worse makes a run bad: not one of timings, speeds and validation."""
        return self.measure == self.metric and self.facts.family != "timing"


def all_series(runs: Sequence[Run], alpha: float = ALPHA) -> list[Series]:
    """Return the series of the last run's jobs, then of other jobs, metrics in the order of `ORDER`.

    A run counts for a job if no earlier one has the same result, which adds no information. Results from
    before the job's problem changed are not comparable, and are left out.

    Args:
        runs: in the order of time.
        alpha: see `find_levels`.
    """
    by_name: dict[str, list[tuple[int, JobResult]]] = {}
    for number, report in reversed([*enumerate(_with_repeats_marked(runs))]):
        for job in _results(report):
            if _measures(job):
                by_name.setdefault(job.name, []).insert(0, (number, job))
    return [
        series
        for name, results in by_name.items()
        for series in _job_series(name, _of_last_problem(results), alpha)
    ]


def _with_repeats_marked(runs: Sequence[Run]) -> list[Report]:
    """Return the reports, in which a result is reused only if an earlier report has it too.

    The first report of a result may be of a run that reused it: one that was repeated, or that resumed a run
    which was interrupted before its report was kept.

    Args:
        runs: in the order of time.
    """
    seen: set[tuple[str, str, tuple[tuple[str, float], ...]]] = set()
    reports = []
    for run in runs:
        keys = [(job.name, job.fingerprint, tuple(sorted(job.timings.items()))) for job in run.report.jobs]
        jobs = zip(keys, run.report.jobs, strict=True)
        marked = tuple(
            replace(job, reused=False) if job.reused and key not in seen else job for key, job in jobs
        )
        reports.append(replace(run.report, jobs=marked))
        seen.update(keys)
    return reports


def _results(report: Report) -> Iterator[JobResult]:
    """Yield a report's jobs, and for each job with several seeds another one with the means."""
    yield from report.jobs
    jobs = {job.name: job for job in report.jobs}
    for seeds in report.seeds:
        if not seeds.absent and jobs.keys() >= set(seeds.jobs) and seeds.jobs:
            first = jobs[seeds.jobs[0]]
            validation = {metric.metric: metric.mean for metric in seeds.validation}
            yield replace(
                first,
                name=f"{seeds.name}, mean of seeds",
                metrics={metric.metric: metric.mean for metric in seeds.metrics},
                validation=replace(first.validation, metrics=validation) if first.validation else None,
                timings={},
                reused=all(jobs[name].reused for name in seeds.jobs),
            )


def _measures(job: JobResult) -> bool:
    """Return whether the run of a result measured the job itself."""
    return bool(job.metrics) and not job.reused


def _validates(job: JobResult) -> bool:
    return job.validation is not None and bool(job.validation.metrics)


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


def _same_validation(job: JobResult, last: JobResult | None) -> bool:
    """Return whether the validation examples are those of the last result, whose test is the same."""
    if last is None or job.problem_fingerprint in ("", last.problem_fingerprint):
        return True
    was, now = (result.validation.fingerprint if result.validation else "" for result in (job, last))
    return was == now != ""


def _value(job: JobResult, metric: str) -> float | None:
    value = measured(job, metric)
    return job.timings.get(metric) if value is None else value


def _same_measure(metric: str, job: JobResult, last: JobResult) -> bool:
    """Return whether a metric of two results counts the same: BLEU may split texts in two ways."""
    if metric.removeprefix(VALIDATION) != "bleu":
        return True
    was, now = (recorded_tokenization(_signatures(metric, result)) for result in (job, last))
    return was == now


def _signatures(metric: str, job: JobResult) -> Mapping[str, str]:
    if metric.startswith(VALIDATION):
        return job.validation.signatures if job.validation else {}
    return job.data.signatures


def _job_series(name: str, results: Sequence[tuple[int, JobResult]], alpha: float) -> Iterator[Series]:
    last = _last_problem(job for _, job in results)
    validated = [(number, job) for number, job in results if _same_validation(job, last)]
    for metric in ORDER:
        known = [
            (number, job, value)
            for number, job in (validated if metric.startswith(VALIDATION) else results)
            if (value := _value(job, metric)) is not None
        ]
        points = [(n, value) for n, job, value in known if _same_measure(metric, job, known[-1][1])]
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
    reports = _with_repeats_marked(runs)
    results = [{job.name: job for job in report.jobs} for report in reports]
    found = {}
    for name in dict.fromkeys(name for jobs in reversed(results) for name in jobs):
        last = _last_problem(jobs[name] for jobs in results if name in jobs and _measures(jobs[name]))
        whys = [
            _why_uncounted(report, name, jobs.get(name), last)
            for report, jobs in zip(reports, results, strict=True)
        ]
        reasons = Counter(filter(None, whys))
        counted = [jobs[name] for why, jobs in zip(whys, results, strict=True) if not why]
        others = sum(_validates(job) and not _same_validation(job, last) for job in counted)
        sentences = []
        if reasons:
            listed = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            sentences.append(f"{sum(reasons.values())} of {len(runs)} runs do not count for it: {listed}")
        if others:
            sentences.append(
                f"{others} of {len(runs)} runs do not count for its validation metrics: {others} of other "
                "validation examples"
            )
        if sentences:
            found[name] = f"{name}: {'; '.join(sentences)}"
    return found


def _why_uncounted(report: Report, name: str, job: JobResult | None, last: JobResult | None) -> str:
    """Return why a run does not count for a job; empty if it does."""
    if job is None:
        return "without a result of it" if name in report.missing else "without this job"
    if not _measures(job):
        return "that reused an earlier result" if job.reused else f"in which it {_OUTCOMES[job.status]}"
    return "" if _same_problem(job, last) else "of another problem under its name"
