"""Several models as one: a step function over the states of all of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from job.decoding.step import Step


def ensemble_step(steps: Sequence[Step]) -> Step:
    """Return the step function of an ensemble, whose probabilities are the mean of those of its models.

    The states of the ensemble are a tuple with the states of each model. Its logits are the logarithms of the
    mean probabilities: logsumexp over the models of their log-probabilities, minus log of their number.

    Args:
        steps: Step function of each model; see `job.decoding.step.Step`. They have the same symbols.
    """

    def step(symbols: Any, states: Any) -> tuple[Any, Any]:
        taken = [model(symbols, own) for model, own in zip(steps, states, strict=True)]
        logs = tf.stack([tf.nn.log_softmax(logits) for logits, _ in taken])
        mean = tf.reduce_logsumexp(logs, axis=0) - math.log(len(steps))
        return mean, tuple(after for _, after in taken)

    return step
