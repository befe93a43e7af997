"""Many reports -> the runs in the order of time, and a series for each metric of each job."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from job.errors import InputError
from job.gating.metric_tests import min_effect
from job.metrics import METRICS
from job.results.records import JobResult, Report
from job.spec.gate_section import GateSpec
from job.storage.documents import read_regular, why
from job.storage.staged_update import STAGED
from job.trend.change_points import ALPHA, Level, levels


@dataclass(frozen=True)
class Run:
    """A batch that left a report.

    Args:
        path: of its `report.json`.
        report: what it holds.
    """

    path: Path
    report: Report

    @property
    def commit(self) -> str | None:
        """What it was made of, where a job says so."""
        commits = (job.environment.get("git_commit") for job in self.report.jobs)
        return next(filter(None, commits), None)

    @property
    def finished(self) -> datetime:
        """When the batch ended."""
        time = datetime.fromisoformat(self.report.finished_at)
        return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


@dataclass(frozen=True)
class LeftOut:
    """A report that is no run of the trend.

    Args:
        path: of the report.
        reason: why, as a clause.
        duplicate: whether it is of a run that another report is of; else it cannot be read.
    """

    path: Path
    reason: str
    duplicate: bool = False

    def __str__(self) -> str:
        return f"{self.path}: left out: {self.reason}"


@dataclass(frozen=True)
class Series:
    """A metric of a job over the runs that measured it.

    Args:
        job, metric: their names.
        runs: numbers of the runs, from 0.
        values: one a run.
        levels: see `change_points.levels`; their numbers are those of values, not of runs.
    """

    job: str
    metric: str
    runs: tuple[int, ...]
    values: tuple[float, ...]
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Change:
    """A change of a series.

    Args:
        series: whose.
        before, now: the levels on both sides.
        run: the number of the first run of the new level, from 0.
        worse: whether it is for the worse; None for a change that is too small to count (`least`).
    """

    series: Series
    before: Level
    now: Level
    run: int
    worse: bool | None


def least(metric: str, before: float) -> float:
    """Return the smallest change that counts: that of the gate against a baseline, of speeds a tenth."""
    if METRICS[metric].family == "timing":
        return 0.1 * abs(before)
    return min_effect(metric, before, GateSpec.model_fields["min_drop"].default)


def read_runs(places: Sequence[str]) -> tuple[list[Run], list[LeftOut]]:
    """Read reports and put them into the order in which their batches ended.

    Args:
        places: each a `report.json`, a directory that has one or has them somewhere below, or a glob of such.

    Returns:
        the runs, and the reports that are left out: those that cannot be read, and all but one of several
        reports of the same run, of which one that says that something is wrong is kept.

    Raises:
        InputError: a place has no report, or none can be read.
    """
    found: dict[Path, Path] = {}
    for place in places:
        matches = sorted(glob.glob(place)) or [place]
        paths = [path for match in matches for path in sorted(_reports(Path(match)))]
        if not paths:
            raise InputError(f"{place}: expected a report.json, or a directory or glob with some in it")
        found |= {path.resolve(): path for path in paths}
    runs, left_out = [], []
    for path in found.values():
        try:
            runs.append(Run(path, Report.from_json(read_regular(path))))
        except (OSError, ValueError) as error:
            left_out.append(LeftOut(path, why(error)))
    if not runs:
        raise InputError("no report can be read\n" + "\n".join(map(str, left_out)))
    runs, duplicates = _once_each(runs)
    return sorted(runs, key=lambda run: (run.finished, str(run.path))), [*left_out, *duplicates]


def _once_each(runs: Sequence[Run]) -> tuple[list[Run], list[LeftOut]]:
    kept: dict[Hashable, Run] = {}
    left_out = []
    for run in sorted(runs, key=lambda run: (run.report.running, not run.report.exit_code, str(run.path))):
        same = kept.setdefault(_measured(run.report), run)
        if same is not run:
            left_out.append(LeftOut(run.path, f"it is of the same run as {same.path}", duplicate=True))
    return [*kept.values()], left_out


def _measured(report: Report) -> Hashable:
    """Return what two reports of one run have in common, however its results were judged."""
    jobs = [
        (job.name, job.fingerprint, tuple(sorted({**job.metrics, **job.timings}.items())))
        for job in report.jobs
    ]
    return report.started_at, report.finished_at, tuple(sorted(jobs))


def _reports(place: Path) -> Iterable[Path]:
    if place.is_file():
        return [place]
    own = place / "report.json"
    if own.is_file():
        return [own]
    found = place.rglob("report.json")  # not those of an update that was cut off
    return [path for path in found if STAGED not in path.parts]


def all_series(runs: Sequence[Run], alpha: float = ALPHA) -> list[Series]:
    """Return the series of the last run's jobs, then of others, each metric in its order.

    A run adds to the series of a job that it trained itself: one that was done before says nothing new. What
    a job was asked before its problem changed is not comparable, and left out.
    """
    measured: dict[str, list[tuple[int, JobResult]]] = {}
    for number, run in reversed([*enumerate(runs)]):
        for job in _results(run.report):
            if _counts(job):
                measured.setdefault(job.name, []).insert(0, (number, job))
    return [
        series for name, results in measured.items() for series in _job_series(name, _same(results), alpha)
    ]


def _results(report: Report) -> Iterator[JobResult]:
    """Yield a report's jobs, and of each job that has several seeds one more, which has the means."""
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


def _same(results: Sequence[tuple[int, JobResult]]) -> list[tuple[int, JobResult]]:
    """Return the results of the problem that the last one had; older reports do not name it."""
    last = _last_problem(job for _, job in results)
    return [(number, job) for number, job in results if job.problem_fingerprint in ("", last)]


def _last_problem(results: Iterable[JobResult]) -> str:
    named = [job.problem_fingerprint for job in results if job.problem_fingerprint]
    return named[-1] if named else ""


def dropped(runs: Sequence[Run]) -> dict[str, str]:
    """Return for each job that some of the runs add nothing to a sentence that counts them, by reason."""
    held = [{job.name: job for job in run.report.jobs} for run in runs]
    found = {}
    for name in dict.fromkeys(name for jobs in reversed(held) for name in jobs):
        problem = _last_problem(jobs[name] for jobs in held if name in jobs and _counts(jobs[name]))
        reasons = Counter(
            reason
            for run, jobs in zip(runs, held, strict=True)
            if (reason := _why_dropped(run.report, name, jobs.get(name), problem))
        )
        if reasons:
            told = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
            found[name] = f"{name}: {sum(reasons.values())} of {len(runs)} runs do not count for it: {told}"
    return found


def _why_dropped(report: Report, name: str, job: JobResult | None, problem: str) -> str:
    """Return why a run adds nothing to a job's series, empty where it does."""
    if job is None:
        return "without a result of it" if name in report.missing else "without this job"
    if not _counts(job):
        return "with what was trained before" if job.reused else f"in which it {_FATES[job.status]}"
    return "" if job.problem_fingerprint in ("", problem) else "of another problem under its name"


_FATES = {
    "passed": "measured nothing",
    "gate_failed": "measured nothing",
    "failed": "failed",
    "interrupted": "was interrupted",
}


def _counts(job: JobResult) -> bool:
    """Return whether a run measured a job itself."""
    return bool(job.metrics) and not job.reused


def _job_series(name: str, results: Sequence[tuple[int, JobResult]], alpha: float) -> Iterator[Series]:
    for metric in METRICS:
        points = [
            (number, {**job.timings, **job.metrics}[metric])
            for number, job in results
            if metric in job.metrics or metric in job.timings
        ]
        if points:
            numbers, values = zip(*points, strict=True)
            yield Series(name, metric, numbers, values, levels(values, alpha))


def changes(series: Series) -> Iterator[Change]:
    """Yield the changes of a series, in the order of time."""
    for before, now in zip(series.levels, series.levels[1:], strict=False):
        difference = now.mean - before.mean
        lower = difference < 0
        worse = lower == (METRICS[series.metric].direction == "higher")
        counts = abs(difference) >= least(series.metric, before.mean)
        yield Change(series, before, now, series.runs[now.first], worse if counts else None)


def first_bad(series: Iterable[Series]) -> Change | None:
    """Return the earliest change for the worse that has not been made good since; speeds apart."""
    lasting = [
        change
        for each in series
        if METRICS[each.metric].family != "timing" and (change := _lasting(each)) is not None
    ]
    return min(lasting, key=lambda change: change.run, default=None)


def _lasting(series: Series) -> Change | None:
    """Return the first change after which a series never came back to a level that it had before.

    Small steps add up: what counts is the distance to that level, not that of one step.
    """
    levels = series.levels
    for now in range(1, len(levels)):
        after = [level.mean for level in levels[now:]]
        if any(_all_worse(series.metric, level.mean, after) for level in levels[:now]):
            return Change(series, levels[now - 1], levels[now], series.runs[levels[now].first], True)
    return None


def _all_worse(metric: str, before: float, after: Sequence[float]) -> bool:
    """Return whether all values are worse than one of before, by enough to count."""
    sign = 1 if METRICS[metric].direction == "higher" else -1
    return all(sign * (before - value) >= least(metric, before) for value in after)
