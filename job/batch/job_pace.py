"""The pace of a running job, and how long it still takes. Times are in seconds of `time.monotonic`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from job.batch.cost_estimate import JOB_SECONDS
from job.batch.other_work import OtherWork
from job.results.job_result import Progress

MIN_REPORTS = 4
"""Number of reports of settled training from which its pace is known."""

MIN_SECONDS = 3.0
"""Seconds that they must span."""

MAX_EPOCH_SECONDS = 60.0
"""Seconds of an epoch from which its end is not waited for: what it takes is estimated."""

WINDOW_SECONDS = 30.0
"""Time constant of the mean pace: other jobs begin and end, and take or leave cores."""


@dataclass(frozen=True, kw_only=True)
class JobPace:
    """The pace of a running job, from the reports of its training in this run.

    Intervals before the training has settled do not count: other parts of the model are compiled beside its
    steps. Neither do those across the end of an epoch, which tell how long such an end takes.

    Args:
        last, last_at: the last report, and when it came.
        other: work besides training steps.
        intervals, measured: number and seconds of the intervals that count.
        steps, seconds: steps and time of the intervals, of which earlier ones count less.
        epoch_end: seconds that the end of an epoch takes; None until it is measured.
        ends: number of such measurements.
    """

    last: Progress
    last_at: float
    other: OtherWork = field(default_factory=OtherWork)
    intervals: int = 0
    measured: float = 0.0
    steps: float = 0.0
    seconds: float = 0.0
    epoch_end: float | None = None
    ends: int = 0

    def advanced(self, progress: Progress, now: float) -> JobPace:
        """Return the pace after another report."""
        steps, seconds = progress.step - self.last.step, now - self.last_at
        pace = replace(self, last=progress, last_at=now)
        if not self.last.settled or steps <= 0:
            return pace
        ended = progress.epoch - self.last.epoch
        if not ended or steps >= ended * _epoch_steps(progress):  # or whole epochs, with their ends
            kept = math.exp(-seconds / WINDOW_SECONDS)
            return replace(
                pace,
                intervals=self.intervals + 1,
                measured=self.measured + seconds,
                steps=self.steps * kept + steps,
                seconds=self.seconds * kept + seconds,
                epoch_end=0.0 if ended else self.epoch_end,
            )
        return pace._with_epoch_end(max(0.0, seconds - steps * self._step_seconds)) if self.steps else pace

    def _with_epoch_end(self, seconds: float) -> JobPace:
        """Return the pace after an epoch's end was measured; the first one may include a compilation."""
        mean = seconds if self.ends < 2 or self.epoch_end is None else (self.epoch_end + seconds) / 2
        return replace(self, epoch_end=mean, ends=self.ends + 1)

    @property
    def known(self) -> bool:
        """Whether enough was measured: of a job of several short epochs, also what an epoch's end takes."""
        ended = self.epoch_end is not None or self.last.epochs <= 1 or self.measured >= MAX_EPOCH_SECONDS
        return self.intervals >= MIN_REPORTS - 1 and self.measured >= MIN_SECONDS and ended

    @property
    def trained(self) -> float:
        """The share of the job's steps that are taken, 0 to 1, those of earlier runs included."""
        return self.last.step / self.last.steps

    @property
    def done(self) -> float:
        """The share of the job's work that is done, 0 to 1: of its steps, validation and evaluation."""
        ends = self.other.epoch_end
        whole = self.last.steps + self.last.epochs * ends + self.other.evaluation
        return (self.last.step + self.last.epoch * ends) / whole

    @property
    def evaluating(self) -> bool:
        """Whether the last step is taken."""
        return self.last.step >= self.last.steps

    def steps_per_second(self) -> float | None:
        """Return the training steps per second; None before that is known."""
        return 1 / self._step_seconds if self.known else None

    def seconds_left(self, now: float | None = None) -> float | None:
        """Return how long the job still takes at this pace, its evaluation included.

        Args:
            now: the present time; None for that of the last report.

        Returns:
            the time, at least 0; None before the pace is known.
        """
        if not self.known:
            return None
        ends = max(0, self.last.epochs - self.last.epoch)
        steps = self.last.steps - self.last.step + self.other.evaluation
        left = steps * self._step_seconds + ends * self._end_seconds
        return max(0.0, left - (0.0 if now is None else now - self.last_at))

    def total_seconds(self) -> float | None:
        """Return how long the whole job takes at this pace; None before that is known."""
        if not self.known:
            return None
        steps = self.last.steps + self.other.evaluation
        return JOB_SECONDS + steps * self._step_seconds + self.last.epochs * self._end_seconds

    def evaluation_steps(self, ended_at: float) -> float | None:
        """Return how long the evaluation took, in training steps; None if that cannot be told.

        Args:
            ended_at: when the job ended.
        """
        if not (self.known and self.evaluating):
            return None
        return max(0.0, ended_at - self.last_at - self._end_seconds) / self._step_seconds

    @property
    def _end_seconds(self) -> float:
        """Seconds that the end of an epoch takes: as measured, else as expected."""
        return self.other.epoch_end * self._step_seconds if self.epoch_end is None else self.epoch_end

    @property
    def _step_seconds(self) -> float:
        return self.seconds / self.steps


def next_pace(pace: JobPace | None, progress: Progress, now: float, other: OtherWork) -> JobPace:
    """Return the pace of a job after a report.

    Args:
        pace: before; None if this is the first report.
        progress: what is reported.
        now: the present time.
        other: the job's work besides training steps, by what is known now.
    """
    return replace(pace or JobPace(last=progress, last_at=now), other=other).advanced(progress, now)


def _epoch_steps(progress: Progress) -> float:
    return progress.steps / progress.epochs if progress.epochs else math.inf
