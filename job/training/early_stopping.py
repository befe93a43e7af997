"""Early stopping: end training once the validation loss no longer falls."""

from __future__ import annotations

import keras

from job.spec.training_section import EarlyStoppingSpec
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
