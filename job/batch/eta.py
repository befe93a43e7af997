"""Estimate how long a batch and its running jobs still take.

Times are in seconds of `time.monotonic`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from job.results.job_result import JobResult, Progress


@dataclass
class _JobPace:
    """The pace of a running job, between its first step reported (it may have been resumed) and its last."""

    first: Progress
    first_at: float
    last: Progress
    last_at: float

    @property
    def trained(self) -> float:
        """The share of the job's steps that were trained since the first report, 0 to 1."""
        return (self.last.step - self.first.step) / self.last.steps

    @property
    def remaining(self) -> float:
        """The share of the job's steps that are still to be trained, 0 to 1."""
        return 1 - self.last.step / self.last.steps

    def seconds_left(self) -> float | None:
        """Return how long the remaining steps take at this pace; None before a second report."""
        return self.remaining * (self.last_at - self.first_at) / self.trained if self.trained else None


@dataclass
class BatchEta:
    """The number of jobs done, failed, running and waiting, and the time that they still take.

    Args:
        jobs: number of jobs in the batch.
        began_at: when the batch began.
        done: number of jobs with a result, failed and reused ones included.
        failed: number of jobs that failed.
        reused: number of jobs that were done before.
    """

    jobs: int
    began_at: float
    done: int = 0
    failed: int = 0
    reused: int = 0
    _running: dict[str, _JobPace | None] = field(default_factory=dict)

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the running jobs, in the order in which they were started."""
        return tuple(self._running)

    @property
    def waiting(self) -> int:
        """Number of jobs that are still to be started."""
        return max(0, self.jobs - self.done - len(self._running))

    def reuse(self) -> None:
        """Count a job that was done before."""
        self.done += 1
        self.reused += 1

    def start(self, name: str) -> None:
        """Count a job as running."""
        self._running[name] = None

    def advance(self, name: str, progress: Progress, now: float) -> None:
        """Record the progress of a running job."""
        pace = self._running.get(name)
        first, first_at = (pace.first, pace.first_at) if pace else (progress, now)
        self._running[name] = _JobPace(first, first_at, progress, now)

    def requeue(self, name: str) -> None:
        """Count a running job as waiting again."""
        self._running.pop(name, None)

    def finish(self, result: JobResult) -> None:
        """Count a job with a result; an interrupted one is not done."""
        self.requeue(result.name)
        self.done += result.status != "interrupted"
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
        """Return how long the batch still takes if all jobs take equally long; None if not known yet."""
        paces = [pace for pace in self._running.values() if pace]
        trained = self.done - self.reused + sum(pace.trained for pace in paces)
        left = self.waiting + len(self._running) - len(paces) + sum(pace.remaining for pace in paces)
        return left * (now - self.began_at) / trained if trained else None
