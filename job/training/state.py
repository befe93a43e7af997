"""A training in progress: what changes from step to step, as it is put into a checkpoint and taken out again.

The data's position is no part of it: batches are pure functions of epoch and number, which the step tells.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.training.checkpoints import Checkpoint


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One row of `history.csv`: means over the steps since the row before.

    `step` counts from 1; `examples` is the number seen so far; `seconds` since training began, compilation
    included. The loss is in nats a token, or the squared error of a scaled number, which has no accuracies.
    The `val_` columns are set in the last row of an epoch where there are validation examples.
    """

    step: int
    epoch: int
    examples: int
    loss: float
    token_accuracy: float | None = None
    sequence_accuracy: float | None = None
    learning_rate: float
    gradient_norm: float
    val_loss: float | None = None
    val_token_accuracy: float | None = None
    val_sequence_accuracy: float | None = None
    seconds: float


@dataclass
class TrainingState:
    """Everything that changes from step to step outside the model's and the optimizer's variables.

    Args:
        pending: statistics of the steps that are in no row of the history yet, by name, (n,) float64 each.
        step, examples: taken and seen; `examples` up to the last row.
        epochs: finished, validation included.
        over: nothing is left to train.
        history: see `HistoryRow`.
        best_loss, best_epoch, best_weights, waited: early stopping's.
        train_seconds, timed_examples, compile_seconds: see `Fitted`.
        began: the time on this process's clock at which training would have begun without a stop.
        calls, step_seconds: of the compiled loop in this process, and how long a step took last.
    """

    pending: dict[str, NDArray[np.float64]]
    step: int = 0
    examples: int = 0
    epochs: int = 0
    over: bool = False
    history: list[HistoryRow] = field(default_factory=list)
    best_loss: float = math.inf
    best_epoch: int | None = None
    best_weights: list[NDArray[Any]] | None = None
    waited: int = 0
    train_seconds: float = 0.0
    timed_examples: int = 0
    compile_seconds: float = 0.0
    began: float = field(default_factory=time.perf_counter)
    calls: int = 0
    step_seconds: float = 0.0

    @property
    def seconds(self) -> float:
        """Since training began, the time between a stop and going on left out."""
        return time.perf_counter() - self.began


_FACTS = (
    "step", "examples", "epochs", "over", "best_loss", "best_epoch", "waited",
    "seconds", "train_seconds", "timed_examples", "compile_seconds",
)  # fmt: skip


def gather(state: TrainingState, variables: Sequence[Any]) -> Checkpoint:
    """Return a checkpoint of a training.

    Args:
        state: of the training.
        variables: of the model (the states of its random numbers too) and of the optimizer.
    """
    facts = {name: getattr(state, name) for name in _FACTS}
    arrays = {f"variable/{i}": np.asarray(v.numpy()) for i, v in enumerate(variables)}
    arrays |= {f"pending/{name}": values for name, values in state.pending.items()}
    arrays |= {f"best/{i}": weights for i, weights in enumerate(state.best_weights or ())}
    history = [asdict(row) for row in state.history]
    return Checkpoint(state.step, {**facts, "history": history}, arrays)


def restore(checkpoint: Checkpoint, variables: Sequence[Any]) -> TrainingState:
    """Set the variables to what they were, and return the state.

    Raises:
        ValueError: the checkpoint is of another model; nothing was changed.
    """
    groups: dict[str, dict[str, NDArray[Any]]] = {"variable": {}, "pending": {}, "best": {}}
    for key, array in checkpoint.arrays.items():
        group, _, name = key.partition("/")
        groups[group][name] = array
    values = [groups["variable"].get(str(i)) for i in range(len(variables))]
    if [_kind(v.numpy()) for v in variables] != [_kind(v) for v in values]:
        raise ValueError("its variables are not those of the model")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    facts = dict(checkpoint.facts)
    began = time.perf_counter() - facts.pop("seconds")
    history = [HistoryRow(**row) for row in facts.pop("history")]
    best = [groups["best"][str(i)] for i in range(len(groups["best"]))]
    return TrainingState(groups["pending"], history=history, best_weights=best or None, began=began, **facts)


def _kind(array: Any) -> tuple[Any, ...] | None:
    return None if array is None else (np.shape(array), np.asarray(array).dtype)
