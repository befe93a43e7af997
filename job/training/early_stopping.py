"""Find the best epoch by a validation metric; without improvement, end training or reduce the rate."""

from __future__ import annotations

import keras

from job.metrics import METRICS
from job.spec.training_section import OptimizerSpec, StoppingMetric, TrainingSpec
from job.training.state import TrainingState


def should_stop(spec: TrainingSpec, state: TrainingState, value: float, model: keras.Model) -> bool:
    """Compare an epoch with the best one, and return whether to end training early.

    If the epoch is better by more than `min_delta`, it and the model's weights become the best.

    Args:
        spec: how to train; its best epoch counts.
        state: the state of training, after the epoch was counted.
        value: the epoch's value of `spec.best_by`.
        model: the model.

    Returns:
        True if the metric has not improved for `patience` epochs; never without early stopping.
    """
    rule = spec.early_stopping
    best = state.best_value
    if best is None or is_better(spec.best_by, value, best, rule.min_delta if rule else 0.0):
        state.best_value, state.best_epoch, state.waited = value, state.epochs, 0
        state.best_weights = model.get_weights()
    else:
        state.waited += 1
    return rule is not None and state.waited >= rule.patience


def is_better(metric: StoppingMetric, value: float, best: float, min_delta: float = 0.0) -> bool:
    """Return whether a value of a metric is better than the best one by more than `min_delta`."""
    if metric != "loss" and METRICS[metric].direction == "higher":
        return value > best + min_delta
    return value < best - min_delta


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
