"""What training does when the validation loss no longer falls: end, or take smaller steps."""

from __future__ import annotations

import keras

from job.spec.training_section import EarlyStoppingSpec, OptimizerSpec
from job.training.state import TrainingState


def should_stop(rule: EarlyStoppingSpec, state: TrainingState, loss: float, model: keras.Model) -> bool:
    """Compare an epoch's validation loss with the best one, and return whether to end training.

    If the loss fell by more than `min_delta`, this epoch and the model's weights become the best.

    Args:
        rule: the spec's `early_stopping`.
        state: the state of training, after the epoch was counted.
        loss: the epoch's validation loss.
        model: the model.

    Returns:
        True if the loss has not fallen for `patience` epochs.
    """
    if loss < state.best_loss - rule.min_delta:
        state.best_loss, state.best_epoch, state.waited = loss, state.epochs, 0
        state.best_weights = model.get_weights()
    else:
        state.waited += 1
    return state.waited >= rule.patience


def reaches_plateau(rule: OptimizerSpec, state: TrainingState, loss: float) -> bool:
    """Compare an epoch's validation loss with the lowest one, and return whether to reduce the learning rate.

    Args:
        rule: the spec's `optimizer`, with the schedule `plateau`.
        state: the state of training; it counts the epochs since the lowest loss or the last reduction.
        loss: the epoch's validation loss.
    """
    if loss < state.lowest_loss:
        state.lowest_loss, state.epochs_above = loss, 0
        return False
    state.epochs_above += 1
    reached = state.epochs_above >= rule.plateau_patience
    if reached:
        state.epochs_above = 0
    return reached
