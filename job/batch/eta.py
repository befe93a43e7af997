"""Estimate how long a batch and its running jobs still take.

Times are in seconds of `time.monotonic`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from job.results.job_result import JobResult, Progress

MIN_REPORTS = 3
"""Number of reports of a job's progress from which its pace is known."""

MIN_SECONDS = 2.0
"""Seconds between the first and the last of them: the first steps run while other parts are compiled."""


@dataclass(frozen=True)
class JobPace:
    """The pace of a running job, between its first step reported (it may have been resumed) and its last.

    Args:
        first, first_at: the first report, and when it came.
        last, last_at: the last one.
        reports: number of reports.
    """

    first: Progress
    first_at: float
    last: Progress
    last_at: float
    reports: int = 1

    def advanced(self, progress: Progress, now: float) -> JobPace:
        """Return the pace after another report."""
        return replace(self, last=progress, last_at=now, reports=self.reports + 1)

    @property
    def trained(self) -> float:
        """The share of the job's steps that were trained since the first report, 0 to 1."""
        return (self.last.step - self.first.step) / self.last.steps

    @property
    def remaining(self) -> float:
        """The share of the job's steps that are still to be trained, 0 to 1."""
        return 1 - self.last.step / self.last.steps

    @property
    def known(self) -> bool:
        """Whether enough was measured."""
        long_enough = self.last_at - self.first_at >= MIN_SECONDS
        return self.reports >= MIN_REPORTS and long_enough and self.trained > 0

    def steps_per_second(self) -> float | None:
        """Return the training steps per second; None before that is known."""
        return (self.last.step - self.first.step) / (self.last_at - self.first_at) if self.known else None

    def seconds_left(self) -> float | None:
        """Return how long the remaining steps take at this pace; None before that is known."""
        return self.remaining * (self.last_at - self.first_at) / self.trained if self.known else None


@dataclass
class BatchEta:
    """The number of jobs done, failed, running and waiting, and the time that they still take.

    Args:
        jobs: number of jobs in the batch.
        began_at: when the batch began.
        costs: estimated seconds of every job of the batch, by name; empty if all count the same.
        done: number of jobs with a result, failed and reused ones included.
        failed: number of jobs that failed.
    """

    jobs: int
    began_at: float
    costs: Mapping[str, float] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    _running: dict[str, JobPace | None] = field(default_factory=dict)
    _done_cost: float = 0.0
    _trained_cost: float = 0.0

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the running jobs, in the order in which they were started."""
        return tuple(self._running)

    @property
    def waiting(self) -> int:
        """Number of jobs that are still to be started."""
        return max(0, self.jobs - self.done - len(self._running))

    def reuse(self, name: str) -> None:
        """Count a job that was done before."""
        self.done += 1
        self._done_cost += self._cost(name)

    def start(self, name: str) -> None:
        """Count a job as running."""
        self._running[name] = None

    def advance(self, name: str, progress: Progress, now: float) -> None:
        """Record the progress of a running job."""
        pace = self._running.get(name)
        self._running[name] = pace.advanced(progress, now) if pace else JobPace(progress, now, progress, now)

    def requeue(self, name: str) -> None:
        """Count a running job as waiting again."""
        self._running.pop(name, None)

    def finish(self, result: JobResult) -> None:
        """Count a job with a result; an interrupted one is not done."""
        pace, cost = self._running.get(result.name), self._cost(result.name)
        self.requeue(result.name)
        self._trained_cost += cost if result.finished else cost * pace.trained if pace else 0.0
        if result.status != "interrupted":
            self.done += 1
            self._done_cost += cost
        self.failed += result.status == "failed"

    def last_progress(self, name: str) -> Progress | None:
        """Return the last progress of a running job, None before its first step."""
        pace = self._running[name]
        return pace.last if pace else None

    def job_seconds_left(self, name: str) -> float | None:
        """Return how long the training of a running job still takes; None if that is not known yet."""
        pace = self._running[name]
        return pace.seconds_left() if pace else None

    def seconds_left(self, now: float) -> float | None:
        """Return how long the batch still takes; None before that is known.

        The work that is left, in estimated seconds of the jobs, is done at the rate of the batch so far, or
        before a job has finished at that of the running jobs. No running job ends later than the batch.
        """
        running = {name: pace for name, pace in self._running.items() if pace}
        left = self._total - self._done_cost - sum(map(self._cost, self._running))
        left += sum(self._cost(n) * (p.remaining if p else 1.0) for n, p in self._running.items())
        if self._trained_cost:
            trained = self._trained_cost + sum(self._cost(n) * p.trained for n, p in running.items())
            rate = trained / (now - self.began_at)
        else:
            known = {name: pace for name, pace in running.items() if pace.known}
            rate = sum(self._cost(n) * p.trained / (p.last_at - p.first_at) for n, p in known.items())
        if not rate:
            return None
        return max([left / rate, *filter(None, (pace.seconds_left() for pace in running.values()))])

    @property
    def _total(self) -> float:
        return sum(self.costs.values()) if self.costs else float(self.jobs)

    def _cost(self, name: str) -> float:
        return self.costs.get(name, 1.0)
