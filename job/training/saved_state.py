"""A training in progress <-> a checkpoint: when one is written, and how training resumes from it."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from job.errors import SIGTERM_EXIT
from job.process.stopping import Request, Stop, Stopped
from job.results.reading import validated
from job.results.sections import Count
from job.training.agreement import ALONE, Agreement
from job.training.checkpoints import Checkpoint, Checkpoints
from job.training.history import HistoryRow
from job.training.state import TrainingState

OTHERS_REQUEST = Request("another process of the cluster", SIGTERM_EXIT)
"""The reason for a stop that was requested in another process."""

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class _Facts:
    """The facts of a checkpoint, by the names of `TrainingState`."""

    step: Count
    examples: Count
    epochs: Count
    over: bool
    best_value: float | None
    best_epoch: Count | None
    waited: Count
    lowest_loss: float
    epochs_above: Count
    seconds: float
    train_seconds: float
    timed_examples: Count
    compile_seconds: float
    history: list[HistoryRow]


@dataclass(frozen=True)
class StateKeeper:
    """Writes a training's checkpoints, and resumes it from the last one.

    Args:
        checkpoints: the job's checkpoints; None to write and read none.
        stop: requests to stop training.
        variables: variables of the model and the optimizer.
        agreement: what this process decides together with others that train the same model.
    """

    checkpoints: Checkpoints | None
    stop: Stop
    variables: Sequence[Any]
    agreement: Agreement = ALONE

    def resume(self) -> TrainingState | None:
        """Restore the variables from the last usable checkpoint; return its state, None if there is none."""
        for checkpoint in self.checkpoints.found() if self.checkpoints else ():
            try:
                return from_checkpoint(checkpoint, self.variables)
            except Exception as error:  # what it holds may be of any form
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
        due = self.checkpoints is not None and self.checkpoints.due(epoch_ended=epoch_ended)
        stopping, due = self.agreement.of_any([request is not None, due and self.agreement.is_chief])
        if self.checkpoints and self.agreement.is_chief and (stopping or state.over or due):
            self.checkpoints.save(to_checkpoint(state, self.variables))
        if stopping:
            raise Stopped(request or OTHERS_REQUEST)


def to_checkpoint(state: TrainingState, variables: Sequence[Any]) -> Checkpoint:
    """Return a checkpoint of a training.

    Args:
        state: the state of training.
        variables: variables of the model, with the states of its random numbers, and of the optimizer.
    """
    facts = {field.name: getattr(state, field.name) for field in fields(_Facts)}
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
        Exception: the checkpoint has other variables, or facts of another form; nothing is changed.
    """
    groups: dict[str, dict[str, NDArray[Any]]] = {"variable": {}, "pending": {}, "best": {}}
    for key, array in checkpoint.arrays.items():
        group, _, name = key.partition("/")
        groups[group][name] = array
    values = [groups["variable"].get(str(i)) for i in range(len(variables))]
    if [_shape_and_dtype(v.numpy()) for v in variables] != [_shape_and_dtype(v) for v in values]:
        raise ValueError("its variables are not those of the model")
    facts = vars(validated(TypeAdapter(_Facts), dict(checkpoint.facts)))
    began = time.perf_counter() - facts.pop("seconds")
    best = [groups["best"][str(i)] for i in range(len(groups["best"]))]
    state = TrainingState(groups["pending"], best_weights=best or None, began=began, **facts)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
    return state


def _shape_and_dtype(array: Any) -> tuple[Any, ...] | None:
    return None if array is None else (np.shape(array), np.asarray(array).dtype)
