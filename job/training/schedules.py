"""Learning rate schedules: the rate of each step, with a linear warm-up."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import OptimizerSpec


def learning_rate(spec: OptimizerSpec, step: Any, total: int, reductions: Any = 0.0) -> Any:
    """Return the learning rate of a step: a linear warm-up, then the spec's schedule.

    With `w` steps of warm-up and `T` steps in all, the factor of the peak rate at step `t` (from 0) is:

    - `constant`: 1.
    - `cosine`: (1 + cos(pi (t - w) / (T - w))) / 2; Loshchilov and Hutter 2017, SGDR, equation 5, without
      restarts.
    - `linear`: 1 - (t - w) / (T - w).
    - `inverse_sqrt`: sqrt(w' / (t + 1)) with w' = max(w, 1); Vaswani et al. 2017, equation 3, with another
      peak.
    - `plateau`: `plateau_factor` to the power of the number of reductions.

    Args:
        spec: peak rate, schedule and the fraction of steps for the warm-up.
        step: 0-based number of the step, a float or a float32 scalar.
        total: number of steps of the whole training.
        reductions: number of times that `plateau` has reduced the rate so far, a float or a float32 scalar.

    Returns:
        a float32 scalar.
    """
    warmup = math.ceil(spec.warmup_fraction * total)
    rising = (step + 1.0) / max(warmup, 1)
    passed = (step - warmup) / max(total - warmup, 1)
    match spec.schedule:
        case "cosine":
            factor = 0.5 * (1.0 + tf.cos(math.pi * passed))
        case "constant":
            factor = tf.ones_like(rising)
        case "linear":
            factor = 1.0 - passed
        case "inverse_sqrt":
            factor = tf.sqrt(max(warmup, 1) / (step + 1.0))
        case "plateau":
            factor = tf.pow(spec.plateau_factor, tf.cast(reductions, tf.float32))
        case unknown:
            no_implementation("training.optimizer.schedule", unknown)
    return spec.learning_rate * tf.where(step < warmup, rising, factor)
