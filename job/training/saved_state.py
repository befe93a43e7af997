"""A training in progress <-> a checkpoint: when one is written, and how training resumes from it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from job.process.stopping import Stop, Stopped
from job.training.checkpoints import Checkpoint, Checkpoints
from job.training.history import HistoryRow
from job.training.state import TrainingState

_log = logging.getLogger(__name__)

_FACTS = (
    "step", "examples", "epochs", "over", "best_loss", "best_epoch", "waited",
    "seconds", "train_seconds", "timed_examples", "compile_seconds",
)  # fmt: skip


@dataclass(frozen=True)
class StateKeeper:
    """Writes a training's checkpoints, and resumes it from the last one.

    Args:
        checkpoints: the job's checkpoints; None to write and read none.
        stop: requests to stop training.
        variables: variables of the model and the optimizer.
    """

    checkpoints: Checkpoints | None
    stop: Stop
    variables: Sequence[Any]

    def resume(self) -> TrainingState | None:
        """Restore the variables from the last usable checkpoint; return its state, None if there is none."""
        for checkpoint in self.checkpoints.found() if self.checkpoints else ():
            try:
                return from_checkpoint(checkpoint, self.variables)
            except (ValueError, TypeError, KeyError) as error:
                _log.warning("the checkpoint of step %s is skipped: %s", checkpoint.step, error)
        return None

    def keep(self, state: TrainingState, *, epoch_ended: bool = False) -> None:
        """Write a checkpoint if one is due, if training has ended or if a stop was requested.

        Args:
            state: the state of training.
            epoch_ended: whether an epoch has just ended.

        Raises:
            Stopped: a stop was requested; the checkpoint is written.
            OSError: the checkpoint cannot be written.
        """
        request = self.stop.request
        if self.checkpoints and (request or state.over or self.checkpoints.due(epoch_ended=epoch_ended)):
            self.checkpoints.save(to_checkpoint(state, self.variables))
        if request:
            raise Stopped(request)


def to_checkpoint(state: TrainingState, variables: Sequence[Any]) -> Checkpoint:
    """Return a checkpoint of a training.

    Args:
        state: the state of training.
        variables: variables of the model, with the states of its random numbers, and of the optimizer.
    """
    facts = {name: getattr(state, name) for name in _FACTS}
    arrays = {f"variable/{i}": np.asarray(v.numpy()) for i, v in enumerate(variables)}
    arrays |= {f"pending/{name}": values for name, values in state.pending.items()}
    arrays |= {f"best/{i}": weights for i, weights in enumerate(state.best_weights or ())}
    history = [asdict(row) for row in state.history]
    return Checkpoint(state.step, {**facts, "history": history}, arrays)


def from_checkpoint(checkpoint: Checkpoint, variables: Sequence[Any]) -> TrainingState:
    """Restore a training's variables from a checkpoint, and return its state.

    Args:
        checkpoint: a checkpoint of the same job.
        variables: as of `to_checkpoint`; they are assigned.

    Raises:
        ValueError: the checkpoint has other variables; nothing is changed.
    """
    groups: dict[str, dict[str, NDArray[Any]]] = {"variable": {}, "pending": {}, "best": {}}
    for key, array in checkpoint.arrays.items():
        group, _, name = key.partition("/")
        groups[group][name] = array
    values = [groups["variable"].get(str(i)) for i in range(len(variables))]
    if [_shape_and_dtype(v.numpy()) for v in variables] != [_shape_and_dtype(v) for v in values]:
        raise ValueError("its variables are not those of the model")
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    facts = dict(checkpoint.facts)
    began = time.perf_counter() - facts.pop("seconds")
    history = [HistoryRow(**row) for row in facts.pop("history")]
    best = [groups["best"][str(i)] for i in range(len(groups["best"]))]
    return TrainingState(groups["pending"], history=history, best_weights=best or None, began=began, **facts)


def _shape_and_dtype(array: Any) -> tuple[Any, ...] | None:
    return None if array is None else (np.shape(array), np.asarray(array).dtype)
