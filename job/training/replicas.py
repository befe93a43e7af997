"""Synchronous training on several devices of one machine: each replica computes a share of every batch."""

from __future__ import annotations

from functools import cache
from typing import Any

import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import Distribution


@cache  # a second strategy in a process would reuse the keys of the first one's collective operations
def _mirrored() -> Any:
    return tf.distribute.MirroredStrategy()


def strategy_for(distribution: Distribution) -> Any:
    """Return the `tf.distribute.Strategy` in whose scope a model is built and trained.

    Args:
        distribution: `mirrored` uses all GPUs of this process, or without any all its logical CPU devices.

    Returns:
        a `MirroredStrategy`; TensorFlow's default strategy for `none` or a single device.
    """
    match distribution:
        case "none":
            return tf.distribute.get_strategy()
        case "mirrored":
            devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
            return _mirrored() if len(devices) > 1 else tf.distribute.get_strategy()
        case unknown:
            no_implementation("training.distribution", unknown)


def own_share(*sides: Any) -> tuple[tuple[Any, ...], Any]:
    """Return every n-th row of a batch for this one of n replicas, and the weight of these rows.

    Args:
        sides: tensors with the same number of rows, at least one.

    Returns:
        the rows of each side, and their weight, a float32 scalar: 1, or 0 if there are fewer rows than
        replicas and this one repeats another's row, because recurrent GPU kernels reject empty batches.
    """
    context = tf.distribute.get_replica_context()
    own = tf.convert_to_tensor(context.replica_id_in_sync_group, tf.int32)
    count = tf.shape(sides[0])[0]
    rows = tf.range(tf.minimum(own, count - 1), count, context.num_replicas_in_sync)
    return tuple(tf.gather(side, rows) for side in sides), tf.cast(own < count, tf.float32)


def total(values: Any) -> Any:
    """Return a structure of tensors summed over all replicas; every replica gets the same sums."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)
