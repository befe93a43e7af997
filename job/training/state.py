"""A training in progress: everything that changes from step to step outside the model and the optimizer.

The position in the data is not part of it: batches are pure functions of epoch and number, which follow from
the step.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.results.job_result import Progress
from job.training.history import HistoryRow, mean_statistics

OnRows = Callable[[Sequence[HistoryRow]], None]
"""Receives all rows of a history."""

ROWS_PER_EPOCH = 20
"""Number of rows of the history in an epoch, if it has at least as many steps."""


@dataclass
class TrainingState:
    """The state of a training.

    Args:
        pending: statistics of the steps that are in no row of the history yet, by name, (n,) float64 each.
        step: number of steps taken.
        examples: number of examples seen up to the last row of the history.
        epochs: number of finished epochs, with validation.
        over: whether training has ended.
        history: the rows so far.
        best_value: best value so far of the metric that decides which epoch is the best.
        best_epoch: its epoch, from 1.
        best_weights: the weights after that epoch.
        waited: number of epochs since the best one.
        lowest_loss: lowest validation loss so far, for the schedule `plateau`.
        epochs_above: number of epochs since that loss, or since the last reduction of the learning rate.
        train_seconds, timed_examples, compile_seconds: see `FitResult`.
        began: time of this process's clock at which training would have begun without interruptions.
        calls: number of calls of the compiled loop in this process.
        step_seconds: duration of a step in the last call; 0 before the second call.
        call_steps: largest number of steps of the next call.
        on_rows: called with the history when it has more rows, and after each validation.
    """

    pending: dict[str, NDArray[np.float64]]
    step: int = 0
    examples: int = 0
    epochs: int = 0
    over: bool = False
    history: list[HistoryRow] = field(default_factory=list)
    best_value: float | None = None
    best_epoch: int | None = None
    best_weights: list[NDArray[Any]] | None = None
    waited: int = 0
    lowest_loss: float = math.inf
    epochs_above: int = 0
    train_seconds: float = 0.0
    timed_examples: int = 0
    compile_seconds: float = 0.0
    began: float = field(default_factory=time.perf_counter)
    calls: int = 0
    step_seconds: float = 0.0
    call_steps: int = 1
    on_rows: OnRows = lambda _: None

    @classmethod
    def start(cls, statistics: Iterable[str]) -> TrainingState:
        """Return the state before the first step.

        Args:
            statistics: names of the statistics of a step.
        """
        return cls({name: np.zeros(0) for name in statistics})

    @property
    def seconds(self) -> float:
        """Seconds since training began, without the time between an interruption and its resumption."""
        return time.perf_counter() - self.began

    def add_call(self, seconds: float, *, steps: int, examples: int) -> None:
        """Record the duration of a call of the compiled loop; the first one counts as compilation.

        Args:
            seconds: its duration.
            steps: number of its steps.
            examples: number of their examples.
        """
        self.calls += 1
        if self.calls == 1:
            self.compile_seconds += seconds
        else:
            self.train_seconds += seconds
            self.timed_examples += examples
            self.step_seconds = seconds / steps

    def add_steps(self, values: Mapping[str, NDArray[np.float64]]) -> None:
        """Add the statistics of steps, by name, (n,) float64 each."""
        self.step += len(values["loss"])
        self.pending = {k: np.concatenate([self.pending[k], values[k]]) for k in self.pending}

    def record_rows(self, steps_per_epoch: int) -> None:
        """Move pending steps to the history, as far as they fill rows."""
        interval = max(1, steps_per_epoch // ROWS_PER_EPOCH)
        first = self.step - len(self.pending["loss"])
        while first < self.step:
            left = steps_per_epoch - (first - self.epochs * steps_per_epoch)
            size = left if left < 2 * interval else interval
            if self.step - first < size:
                break
            window = {k: v[:size] for k, v in self.pending.items()}
            self.pending = {k: v[size:] for k, v in self.pending.items()}
            first += size
            self.history.append(self._row(first, window))
            self.on_rows(self.history)

    def _row(self, step: int, window: Mapping[str, NDArray[np.float64]]) -> HistoryRow:
        self.examples += int(window["rows"].sum())
        means: dict[str, Any] = mean_statistics(window)
        return HistoryRow(
            step=step,
            epoch=self.epochs + 1,
            examples=self.examples,
            **means,
            learning_rate=float(window["learning_rate"][-1]),
            gradient_norm=float(window["gradient_norm"].mean()),
            seconds=round(self.seconds, 3),
        )

    def end_epoch(self, scores: Mapping[str, float], decoded: Mapping[str, float]) -> None:
        """Count an epoch, and add validation's scores to its last row.

        Args:
            scores: loss and accuracies of the validation examples; empty without any.
            decoded: see `HistoryRow.val_decoded`.
        """
        validated: dict[str, Any] = {f"val_{k}": v for k, v in scores.items()}
        validated["val_decoded"] = dict(decoded)
        self.history[-1] = replace(self.history[-1], **validated)
        self.epochs += 1
        self.on_rows(self.history)

    def progress(self, total: int, step_examples: float, epochs: int, *, settled: bool = True) -> Progress:
        """Return the progress: the means of the last steps and the current speed.

        Args:
            total: number of steps of the whole training.
            step_examples: mean number of examples of a step.
            epochs: number of epochs of the whole training.
            settled: see `Progress`.
        """
        last = mean_statistics(self.pending) if len(self.pending["loss"]) else vars(self.history[-1])
        return Progress(
            step=self.step,
            steps=total,
            loss=last["loss"],
            token_accuracy=last.get("token_accuracy"),
            examples_per_second=step_examples / self.step_seconds if self.step_seconds else 0.0,
            epoch=self.epochs,
            epochs=epochs,
            validation=self._validation(),
            settled=settled,
        )

    def _validation(self) -> dict[str, float]:
        """Return the validation scores of the last finished epoch, by column of `history.csv`."""
        last = next((row for row in reversed(self.history) if row.epoch <= self.epochs), None)
        columns = {} if last is None else last.columns()
        return {k: v for k, v in columns.items() if k.startswith("val_") and v is not None}
