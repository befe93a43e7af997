"""The pace of a running job, and how long it still takes. Times are in seconds of `time.monotonic`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from job.batch.cost_estimate import JOB_SECONDS
from job.results.job_result import Progress
from job.spec.schema import JobSpec

MIN_REPORTS = 4
"""Number of reports of settled training from which its pace is known."""

MIN_SECONDS = 3.0
"""Seconds that they must span."""

MAX_EPOCH_SECONDS = 60.0
"""Seconds of an epoch from which its end is not waited for: what it takes is estimated."""

WINDOW_SECONDS = 30.0
"""Time constant of the mean pace: other jobs begin and end, and take or leave cores."""

_VALIDATED, _DECODED, _EVALUATED = 0.5, 0.5, 0.8
"""Time that an example takes in validation, in its decoding, and in the evaluation after the last epoch, in
relation to an example of training: about as measured with recurrent models and a Transformer on two cores."""


@dataclass(frozen=True, kw_only=True)
class OtherWork:
    """The expected work of a job besides its training steps, in training steps.

    Args:
        epoch_end: of validation after each epoch, until it is measured.
        evaluation: of the evaluation after the last epoch.
    """

    epoch_end: float = 0.0
    evaluation: float = 0.0


def other_work(job: JobSpec | None) -> OtherWork:
    """Return the expected work of a job besides its training steps; none for None."""
    if job is None:
        return OtherWork()
    training, evaluation = job.training, job.evaluation
    width = evaluation.beam_width if evaluation.decoder == "beam" else 1
    validated = evaluation.validation_examples * (_VALIDATED + (training.best_by != "loss") * _DECODED)
    decoded = evaluation.examples * (1 + len(evaluation.also)) + evaluation.validation_examples
    return OtherWork(
        epoch_end=validated / training.step_examples,
        evaluation=_EVALUATED * width * decoded / training.step_examples,
    )


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
    other: OtherWork = OtherWork()
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
        other: the job's work besides training steps.
    """
    return pace.advanced(progress, now) if pace else JobPace(last=progress, last_at=now, other=other)


def _epoch_steps(progress: Progress) -> float:
    return progress.steps / progress.epochs if progress.epochs else math.inf
