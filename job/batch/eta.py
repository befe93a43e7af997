"""Estimate how long a batch and its running jobs still take.

Times are in seconds of `time.monotonic`.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from job.batch.decoding_pace import DecodingPace, next_decoding
from job.batch.job_pace import JobPace, next_pace
from job.batch.other_work import OtherWork
from job.results.job_result import JobResult, Progress

MAX_RATIO = 8.0
"""How many times as much work as any job that was measured a job may be whose time is estimated from it."""


@dataclass
class BatchEta:
    """The number of jobs done, failed, running and waiting, and the time that they still take.

    Args:
        jobs: number of jobs in the batch.
        began_at: when the batch began.
        costs: estimated seconds of every job of the batch, by name, in the order in which they are started;
            empty if all count the same.
        done: number of jobs with a result, failed and reused ones included.
        failed: number of jobs that failed.
        elsewhere: number of jobs that other nodes work on; they are neither running nor waiting here.
    """

    jobs: int
    began_at: float
    costs: Mapping[str, float] = field(default_factory=dict)
    done: int = 0
    failed: int = 0
    elsewhere: int = 0
    _running: dict[str, JobPace | None] = field(default_factory=dict)
    _started: dict[str, tuple[float, OtherWork]] = field(default_factory=dict)
    _measured: list[tuple[float, float]] = field(default_factory=list)
    _begun: set[str] = field(default_factory=set)
    _evaluated: list[float] = field(default_factory=list)
    _ended_elsewhere: float = 0.0
    _decoding: dict[str, DecodingPace] = field(default_factory=dict)

    @property
    def running(self) -> tuple[str, ...]:
        """Names of the running jobs, in the order in which they were started."""
        return tuple(self._running)

    @property
    def waiting(self) -> int:
        """Number of jobs that are still to be started."""
        return max(0, self.jobs - self.done - len(self._running) - self.elsewhere)

    def reuse(self, name: str) -> None:
        """Count a job that was done before."""
        self.done += 1
        self._begun.add(name)

    def start(self, name: str, now: float, other: OtherWork = OtherWork()) -> None:
        """Count a job as running.

        Args:
            name: of the job.
            now: the present time.
            other: its work besides training steps.
        """
        self._running[name] = None
        self._started[name] = (now, other)
        self._begun.add(name)

    def advance(self, name: str, progress: Progress, now: float) -> None:
        """Record the progress of a running job."""
        _, other = self._started[name]
        other = replace(other, evaluation=other.evaluation * median(self._evaluated or [1.0]))
        self._running[name] = next_pace(self._running[name], progress, now, other)

    def decoded(self, name: str, share: float, now: float) -> None:
        """Record the share of the examples that the evaluation of a running job has decoded."""
        if name in self._running:
            self._decoding[name] = next_decoding(self._decoding.get(name), share, now, self._started[name][1])

    def requeue(self, name: str) -> None:
        """Count a running job as waiting again."""
        self._running.pop(name, None)
        self._decoding.pop(name, None)
        self._begun.discard(name)

    def finish(self, result: JobResult, now: float) -> None:
        """Count a job with a result; an interrupted one is not done."""
        name, here = result.name, result.name in self._running
        pace = self._running.pop(name, None)
        self._decoding.pop(name, None)
        if result.finished and pace is not None:  # trained here
            seconds = result.timings.get("total_seconds") or now - self._started[name][0]
            self._measured.append((self._cost(name), seconds))
            expected = self._started[name][1].evaluation
            if expected and (evaluated := pace.evaluation_steps(now)) is not None:
                self._evaluated.append(evaluated / expected)
        if result.finished and not here:
            self._ended_elsewhere += self._cost(name)
        self.failed += result.status == "failed"
        if result.status != "interrupted":
            self.done += 1
            self._begun.add(name)

    def last_progress(self, name: str) -> Progress | None:
        """Return the last progress of a running job, None before its first step."""
        pace = self._running[name]
        return pace.last if pace else None

    def job_seconds_left(self, name: str, now: float) -> float | None:
        """Return how long a running job still takes, with its evaluation.

        None if that is not known yet: while it is evaluated, before a part is decoded.
        """
        pace, decoding = self._running[name], self._decoding.get(name)
        if pace and pace.evaluating:
            return decoding.seconds_left(now) if decoding else None
        return self._running_left(name, now)

    def seconds_left(self, now: float) -> float | None:
        """Return how long the batch still takes; None before that is known.

        Each running job takes as long as its pace says. The others take their estimated seconds, scaled by
        what jobs of similar size took or will take here, and each starts where a job ends.
        """
        lefts = {name: self._running_left(name, now) for name in self._running}
        totals = {name: pace.total_seconds() for name, pace in self._running.items() if pace}
        measured = [*self._measured, *((self._cost(name), s) for name, s in totals.items() if s)]
        waiting = self._waiting_costs()
        unknown = [self._cost(name) for name, left in lefts.items() if left is None]
        if not self._running and not waiting:
            return 0.0
        if not measured and (waiting or unknown):
            return None
        largest = max((cost for cost, _ in measured), default=math.inf)
        if max([*waiting, *unknown], default=0.0) > MAX_RATIO * largest:
            return None
        slots = [self._left(name, left, measured, now) for name, left in lefts.items()]
        return makespan(slots or [0.0], [_scaled(cost, measured) / self._nodes for cost in waiting])

    def _running_left(self, name: str, now: float) -> float | None:
        """Return how long a running job takes by its own pace; None before that is known."""
        decoding, pace = self._decoding.get(name), self._running[name]
        left = decoding.seconds_left(now) if decoding else None
        return pace.seconds_left(now) if left is None and pace else left

    def _left(
        self, name: str, left: float | None, measured: Sequence[tuple[float, float]], now: float
    ) -> float:
        """Return how long a running job takes: by its pace, else by what the others took."""
        if left is not None:
            return left
        pace = self._running[name]
        share = pace.done if pace else 0.0
        since = pace.last_at if pace else self._started[name][0]
        return max(0.0, _scaled(self._cost(name), measured) * (1 - share) - (now - since))

    def _waiting_costs(self) -> list[float]:
        """Return the cost of each job that waits, in the order in which they are started."""
        if self.costs:
            return [cost for name, cost in self.costs.items() if name not in self._begun]
        return [1.0] * (self.waiting + self.elsewhere)

    @property
    def _nodes(self) -> float:
        """How many times the work of this node all nodes do that share the batch."""
        begun = sum(self._cost(name) * pace.done for name, pace in self._running.items() if pace)
        own = begun + sum(cost for cost, _ in self._measured)
        return 1 + self._ended_elsewhere / own if own else 1.0

    def _cost(self, name: str) -> float:
        return self.costs.get(name, 1.0)


def _scaled(cost: float, measured: Sequence[tuple[float, float]]) -> float:
    """Return how long work takes that was estimated at `cost`; other work of a similar size counts most.

    Args:
        cost: estimated seconds.
        measured: estimated and measured seconds of other work.
    """
    weights = [1 / (0.1 + abs(math.log(cost / other))) for other, _ in measured]
    ratios = [math.log(max(seconds, 1e-3) / other) for other, seconds in measured]
    return cost * math.exp(sum(w * r for w, r in zip(weights, ratios, strict=True)) / sum(weights))


def makespan(slots: Sequence[float], waiting: Sequence[float]) -> float:
    """Return when the last job ends, if each slot that becomes free takes the next one.

    Args:
        slots: when each becomes free, in seconds from now.
        waiting: how long each waiting job takes, in the order in which they are started.
    """
    free = [*slots]
    heapq.heapify(free)
    for seconds in waiting:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)
