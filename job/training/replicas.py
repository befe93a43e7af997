"""Synchronous training on several devices, of a machine or of a cluster: each computes a share of a batch."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import tensorflow as tf

from job.errors import no_implementation
from job.spec.training_section import Distribution
from job.training.waiting import WaitLimit


@cache  # a second strategy in a process would reuse the keys of the first one's collective operations
def _mirrored() -> Any:
    return tf.distribute.MirroredStrategy()


def is_in_cluster() -> bool:
    """Return whether this process is one of several that train a model together: `TF_CONFIG` says so."""
    return bool(os.environ.get("TF_CONFIG"))


@cache
def cluster_strategy() -> Any:
    """Return the strategy of all processes of the cluster that `TF_CONFIG` describes.

    The first call must come before any other operation of TensorFlow, and waits for the other processes.
    """
    return tf.distribute.MultiWorkerMirroredStrategy()


@cache
def _wait_limit() -> WaitLimit:
    return WaitLimit()


def waiting_for_others(seconds: float) -> AbstractContextManager[None]:
    """Limit the time of a block in which this process waits for the others of its cluster, if there is one.

    Args:
        seconds: afterwards operations that wait raise `tf.errors.DeadlineExceededError`.
    """
    return _wait_limit().limiting(seconds) if is_in_cluster() else nullcontext()


def join_cluster(threads: int) -> None:
    """Wait for the other processes of the cluster; this must be TensorFlow's first operation.

    Args:
        threads: number of operations that TensorFlow may run at once.
    """
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    cluster_strategy()


def strategy_for(distribution: Distribution) -> Any:
    """Return the `tf.distribute.Strategy` in whose scope a model is built and trained.

    Args:
        distribution: `mirrored` uses all GPUs of this process, or without any all its logical CPU devices;
            `multi_worker` those of all processes of the cluster, and alone it is the same.

    Returns:
        a `MirroredStrategy` or `MultiWorkerMirroredStrategy`; TensorFlow's default strategy for `none` or a
        single device.
    """
    match distribution:
        case "none":
            return tf.distribute.get_strategy()
        case "multi_worker" if is_in_cluster():
            return cluster_strategy()
        case "mirrored" | "multi_worker":
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
