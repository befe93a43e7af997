"""Simulated batches: what is reported of jobs whose time is known, and when."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field

from sample_jobs import job_result

from job.batch.eta import BatchEta
from job.batch.other_work import OtherWork
from job.results.job_result import Progress

EXPECTED = OtherWork(epoch_end=10.0, evaluation=40.0)


@dataclass(frozen=True, kw_only=True)
class TimedJob:
    """A job that takes known times, in seconds.

    Args:
        name: of the job.
        epochs, epoch_steps: number of epochs, and of steps in each.
        step_seconds: of a step, once nothing is compiled beside it.
        start: before the first report: loading, data, compilation.
        compiling: after it, while other parts are compiled and steps take `slowdown` times as long.
        slowdown: see there.
        epoch_end: validation after each epoch.
        evaluation: after the last one.
        other: what is expected of the last two.
        cost: estimated seconds.
    """

    name: str
    epochs: int = 10
    epoch_steps: int = 100
    step_seconds: float = 0.05
    start: float = 5.0
    compiling: float = 4.0
    slowdown: float = 2.5
    epoch_end: float = 0.5
    evaluation: float = 2.0
    other: OtherWork = EXPECTED
    cost: float = 1.0

    def reports(self) -> list[tuple[float, Progress]]:
        """Return the reports of its training, and the seconds after its start at which they come."""
        found, now = [], self.start
        call = max(1, int(0.25 / self.step_seconds))
        for epoch in range(self.epochs):
            step = 0
            while step < self.epoch_steps:
                taken = min(call, self.epoch_steps - step)
                settled = now >= self.start + self.compiling
                now += taken * self.step_seconds * (1.0 if settled else self.slowdown)
                step += taken
                found.append((now, self._progress(epoch * self.epoch_steps + step, epoch, settled)))
            now += self.epoch_end
        return found

    @property
    def seconds(self) -> float:
        """Seconds from its start to its result."""
        return self.reports()[-1][0] + self.epoch_end + self.evaluation

    def _progress(self, step: int, epoch: int, settled: bool) -> Progress:
        return Progress(
            step=step,
            steps=self.epochs * self.epoch_steps,
            loss=1.0,
            token_accuracy=0.5,
            examples_per_second=100.0,
            epoch=epoch,
            epochs=self.epochs,
            settled=settled,
        )


@dataclass
class Estimates:
    """What was estimated in a simulated batch.

    Args:
        batch: seconds of the batch's end as estimated, by the time of the estimate; None if it was not known.
        jobs: by job name, the same.
        ended: when each job ended.
    """

    batch: dict[float, float | None] = field(default_factory=dict)
    jobs: dict[str, dict[float, float | None]] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    def first(self) -> float:
        """Return when the batch's end was first estimated, as a share of its time."""
        return min(at for at, left in self.batch.items() if left is not None) / max(self.ended.values())

    def ratios(self, name: str | None = None, *, ignored: float = 0.03) -> list[float]:
        """Return estimated over true time left of a job, or of the batch, at each time that one was shown.

        Args:
            name: of the job; None for the batch.
            ignored: the last share of the time, in which a second is a large part of what is left.
        """
        found = self.batch if name is None else self.jobs[name]
        end = max(self.ended.values()) if name is None else self.ended[name]
        began = min(found)
        kept = {at: left for at, left in found.items() if end - at > ignored * (end - began) and end - at > 2}
        return [left / (end - at) for at, left in kept.items() if left is not None]


def simulate(jobs: list[TimedJob], workers: int = 1) -> Estimates:
    """Run a batch of jobs in the given number of workers, and estimate every second how long it takes.

    Args:
        jobs: in the order in which they are started.
        workers: number of jobs that run at once.
    """
    eta = BatchEta(len(jobs), 0.0, {job.name: job.cost for job in jobs})
    estimates, events = Estimates(), []
    free = [0.0] * workers
    for number, job in enumerate(jobs):
        began = heapq.heappop(free)
        ended = began + job.seconds
        heapq.heappush(free, ended)
        estimates.ended[job.name] = ended
        events.append((began, 1, number, None))
        events += [(began + at, 2, number, progress) for at, progress in job.reports()]
        events.append((ended, 0, number, None))
    end = max(estimates.ended.values())
    events += [(float(second), 3, 0, None) for second in range(1, int(end))]
    for now, kind, number, progress in sorted(events, key=lambda event: event[:2]):
        job = jobs[number]
        if kind == 0:
            eta.finish(job_result(job.name, timings={"total_seconds": job.seconds}), now)
        elif kind == 1:
            eta.start(job.name, now, job.other)
        elif kind == 2:
            eta.advance(job.name, progress, now)
        else:
            estimates.batch[now] = eta.seconds_left(now)
            for name in eta.running:
                estimates.jobs.setdefault(name, {})[now] = eta.job_seconds_left(name, now)
    return estimates
