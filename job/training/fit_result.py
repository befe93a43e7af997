"""The outcome of training."""

from __future__ import annotations

from dataclasses import dataclass

from job.spec.training_section import TrainingSpec
from job.training.history import HistoryRow
from job.training.state import TrainingState


@dataclass(frozen=True, kw_only=True)
class FitResult:
    """The outcome of training.

    Args:
        history: rows of the history.
        steps: number of steps.
        examples: number of training examples seen, over all epochs.
        epochs: number of finished epochs.
        stopped_early: whether training ended because validation no longer improved.
        best_epoch: epoch, from 1, whose weights the model has; None if they are those of the last one.
        compile_seconds: time of the first call of the compiled loop.
        train_seconds: time of training steps, without compilation and validation.
        timed_examples: number of examples seen in `train_seconds`.
        earlier_seconds: time that interrupted processes spent on this training before.
        resumed_from_step: step from which this process resumed; None if it started from the beginning.
    """

    history: tuple[HistoryRow, ...]
    steps: int
    examples: int
    epochs: int
    stopped_early: bool
    best_epoch: int | None
    compile_seconds: float
    train_seconds: float
    timed_examples: int
    earlier_seconds: float = 0.0
    resumed_from_step: int | None = None

    @classmethod
    def of(
        cls,
        state: TrainingState,
        spec: TrainingSpec,
        *,
        earlier_seconds: float,
        resumed_from_step: int | None,
    ) -> FitResult:
        """Return the outcome of a training that has ended.

        Args:
            state: its last state.
            spec: its spec.
            earlier_seconds, resumed_from_step: see the class.
        """
        return cls(
            history=tuple(state.history),
            steps=state.step,
            examples=state.examples,
            epochs=state.epochs,
            stopped_early=state.epochs < spec.epochs,
            best_epoch=state.best_epoch,
            compile_seconds=state.compile_seconds,
            train_seconds=state.train_seconds,
            timed_examples=state.timed_examples,
            earlier_seconds=earlier_seconds,
            resumed_from_step=resumed_from_step,
        )
