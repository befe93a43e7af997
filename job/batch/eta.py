"""How far a batch and its running jobs are, and how long they still take.

Times are those of `time.monotonic`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from job.results.records import JobResult, Progress


@dataclass
class _Pace:
    """A running job, at the first step that was seen (it may go on from a checkpoint) and at the last."""

    first: Progress
    first_at: float
    last: Progress
    last_at: float

    @property
    def taken(self) -> float:
        """The share of the job's steps that were taken here."""
        return (self.last.step - self.first.step) / self.last.steps

    @property
    def left(self) -> float:
        """The share of the job's steps that are still to be taken."""
        return 1 - self.last.step / self.last.steps

    def seconds_left(self) -> float | None:
        """Return how long the rest takes at the pace so far; None while that is not known."""
        return self.left * (self.last_at - self.first_at) / self.taken if self.taken else None


@dataclass
class Course:
    """Where the jobs of a batch are.

    Args:
        jobs: how many there are.
        began_at: when the batch began.
    """

    jobs: int
    began_at: float
    done: int = 0
    failed: int = 0
    reused: int = 0
    _running: dict[str, _Pace | None] = field(default_factory=dict)

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the jobs that are running, in the order in which they were started."""
        return tuple(self._running)

    @property
    def waiting(self) -> int:
        """How many jobs are still to be started."""
        return max(0, self.jobs - self.done - len(self._running))

    def reuse(self) -> None:
        """Count a job that was done before."""
        self.done += 1
        self.reused += 1

    def start(self, name: str) -> None:
        """Note that a worker took the job."""
        self._running[name] = None

    def advance(self, name: str, step: Progress, now: float) -> None:
        """Note how far the job is."""
        pace = self._running.get(name)
        first, first_at = (pace.first, pace.first_at) if pace else (step, now)
        self._running[name] = _Pace(first, first_at, step, now)

    def drop(self, name: str) -> None:
        """Note that the job is no longer running and has no result: it waits again."""
        self._running.pop(name, None)

    def finish(self, result: JobResult) -> None:
        """Note the job's result; one that was interrupted is not done."""
        self.drop(result.name)
        self.done += result.status != "interrupted"
        self.failed += result.status == "failed"

    def last(self, name: str) -> Progress | None:
        """Return how far a running job is, None before its first step."""
        pace = self._running[name]
        return pace.last if pace else None

    def job_seconds_left(self, name: str) -> float | None:
        """Return how long the training of a running job still takes; None while that is not known."""
        pace = self._running[name]
        return pace.seconds_left() if pace else None

    def seconds_left(self, now: float) -> float | None:
        """Return how long the batch still takes if all jobs are alike; None while that is not known."""
        paces = [pace for pace in self._running.values() if pace]
        taken = self.done - self.reused + sum(pace.taken for pace in paces)
        left = self.waiting + len(self._running) - len(paces) + sum(pace.left for pace in paces)
        return left * (now - self.began_at) / taken if taken else None
