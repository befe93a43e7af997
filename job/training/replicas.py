"""One model on several devices of one machine: each computes its share of a batch, and all take one step."""

from __future__ import annotations

from functools import cache
from typing import Any

import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import Distribution


@cache  # a second one in a process would take the first one's keys for its collective operations
def _mirrored() -> Any:
    return tf.distribute.MirroredStrategy()


def strategy_for(distribution: Distribution) -> Any:
    """Return the `tf.distribute.Strategy` in whose scope a model is made and trained.

    With `mirrored` it is one over all GPUs that this process sees, else over all its logical CPU devices; on
    a single device that is TensorFlow's default strategy, as with `none`.
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
    """Return the rows of a batch that are this replica's, every n-th, and what they weigh.

    Args:
        sides: tensors of equally many rows, at least one.

    Returns:
        each side's rows, and 1.0; where there are fewer rows than replicas, some get one that another one has
        too, and 0.0: recurrent kernels of GPUs take no empty batch.
    """
    context = tf.distribute.get_replica_context()
    own = tf.convert_to_tensor(context.replica_id_in_sync_group, tf.int32)
    count = tf.shape(sides[0])[0]
    rows = tf.range(tf.minimum(own, count - 1), count, context.num_replicas_in_sync)
    return tuple(tf.gather(side, rows) for side in sides), tf.cast(own < count, tf.float32)


def total(values: Any) -> Any:
    """Return the sums of a structure of tensors over all replicas, the same on each."""
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)
