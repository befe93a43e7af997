"""The time that a job's stages take, and the range of its speeds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from job.evaluation.outcome import Evaluation
from job.process.stopping import Stop
from job.training.fit_result import FitResult
from job.training.history import HistoryRow

MIN_SPEED_PARTS = 8
"""Fewest parts from which a range of speeds is reported; a test of 10,000 examples has nine full ones."""


_OF_EVALUATION = ("evaluate_seconds", "export_seconds")
"""Stages that evaluating a model again repeats."""


class StageClock:
    """A clock that measures named stages, and starts none after a request to stop.

    Args:
        stop: the job's request to stop, if any.
    """

    def __init__(self, stop: Stop) -> None:
        self._stop = stop
        self._began = time.perf_counter()
        self.seconds: dict[str, float] = {}

    @property
    def total_seconds(self) -> float:
        """Seconds since the clock was made."""
        return time.perf_counter() - self._began

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the duration of the block to `{name}_seconds`.

        Raises:
            Stopped: the job was asked to stop before.
        """
        self._stop.check()
        began = time.perf_counter()
        yield
        taken = time.perf_counter() - began
        self.seconds[f"{name}_seconds"] = self.seconds.get(f"{name}_seconds", 0.0) + taken


def job_timings(clock: StageClock, fitted: FitResult, evaluation: Evaluation) -> dict[str, float]:
    """Return a job's `timings`: stages in seconds and speeds per second, rounded to four places.

    Time spent before the job was resumed is included.
    """
    timings = {
        **clock.seconds,
        "fit_seconds": clock.seconds["fit_seconds"] + fitted.earlier_seconds,
        "train_compile_seconds": fitted.compile_seconds,
        "train_seconds": fitted.train_seconds,
        **_decode_timings(evaluation),
        "total_seconds": clock.total_seconds + fitted.earlier_seconds,
    }
    if fitted.train_seconds:
        timings["train_examples_per_second"] = fitted.timed_examples / fitted.train_seconds
    return {name: round(value, 4) for name, value in timings.items()}


def timings_evaluated_again(
    recorded: Mapping[str, float], clock: StageClock, evaluation: Evaluation
) -> dict[str, float]:
    """Return the `timings` of a job whose model was evaluated again: training's, and the new evaluation's.

    Args:
        recorded: timings of the job with its earlier evaluation.
        clock: the time of the new evaluation's stages.
        evaluation: its outcome.
    """
    stages = {name: clock.seconds[name] for name in _OF_EVALUATION if name in clock.seconds}
    seconds, earlier = sum(stages.values()), sum(recorded.get(name, 0.0) for name in _OF_EVALUATION)
    kept = {name: value for name, value in recorded.items() if name not in _OF_EVALUATION}
    timings = {**kept, **stages, **_decode_timings(evaluation)}
    timings["total_seconds"] = recorded.get("total_seconds", earlier) - earlier + seconds
    return {name: round(value, 4) for name, value in timings.items()}


def _decode_timings(evaluation: Evaluation) -> dict[str, float]:
    timings = {
        "decode_compile_seconds": evaluation.compile_seconds,
        "decode_seconds": evaluation.decode_seconds,
    }
    if evaluation.decode_seconds:
        timings["decoded_sequences_per_second"] = len(evaluation.predictions) / evaluation.decode_seconds
    return timings


def speed_ranges(
    history: Sequence[HistoryRow], decode_speeds: Sequence[float]
) -> dict[str, tuple[float, float]]:
    """Return the 10 % and 90 % quantiles of each speed over its parts; none below `MIN_SPEED_PARTS` parts.

    The parts of training lie between rows of one epoch in the history, so that none has the validation
    between two epochs. The first row includes compilation and only starts the second part. Rows of one call
    of the training loop have the same time and count as one.

    Args:
        history: rows of the training history.
        decode_speeds: sequences per second of each part of the test.
    """
    rows_at = {row.seconds: row for row in history}
    speeds = {
        "train_examples_per_second": [
            (row.examples - before.examples) / (row.seconds - before.seconds)
            for before, row in pairwise(rows_at.values())
            if row.epoch == before.epoch
        ],
        "decoded_sequences_per_second": decode_speeds,
    }
    return {name: _quantiles(parts) for name, parts in speeds.items() if len(parts) >= MIN_SPEED_PARTS}


def speed_ranges_evaluated_again(
    recorded: Mapping[str, tuple[float, float]], evaluation: Evaluation
) -> dict[str, tuple[float, float]]:
    """Return the `speed_ranges` of a job whose model was evaluated again; see `timings_evaluated_again`."""
    kept = {name: values for name, values in recorded.items() if name != "decoded_sequences_per_second"}
    return {**kept, **speed_ranges((), evaluation.decode_speeds)}


def _quantiles(speeds: Sequence[float]) -> tuple[float, float]:
    low, high = np.quantile(speeds, [0.1, 0.9]).round(2).tolist()
    return low, high
