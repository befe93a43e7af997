"""What the processes of a cluster decide together, so that all of them take the same steps.

A process may not act on its own clock or its own signals: if one left the loop while another took the next
step, the other would wait for it. So these decisions are exchanged, as sums over all processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from job.training.replicas import waiting_for_others
from job.training.waiting import FIRST_WAIT_SECONDS, WAIT_SECONDS


class Agreement:
    """Decisions of one process alone: they are its own."""

    is_chief = True
    """Whether this process writes checkpoints and results."""

    rank = 0
    """Number of this process; that of the chief is 0."""

    processes = 1
    """Number of processes."""

    def total(self, values: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
        """Return the sums of values, (n,), over all processes.

        Args:
            values: those of this process.
            seconds: time in which all others must call this, too.
        """
        return values

    def of_chief(self, values: Sequence[float]) -> list[float]:
        """Return the values of the chief, whatever those of this process are."""
        return [*values]

    def of_any(self, flags: Sequence[bool]) -> list[bool]:
        """Return for each flag whether it is set in any process."""
        return [*flags]

    def scores(self, values: Mapping[str, float]) -> dict[str, float]:
        """Return the chief's scores: on unequal machines those of the others may differ in the last bits."""
        return dict(zip(values, self.of_chief([*values.values()]), strict=True)) if values else {}

    def stepping(self) -> AbstractContextManager[None]:
        """Limit the time of a block in which all processes take steps, so that none waits without end."""
        return nullcontext()


ALONE = Agreement()
"""Of a process that trains a model alone."""


def agreement_for(strategy: Any) -> Agreement:
    """Return how the processes that train by a `tf.distribute` strategy decide together."""
    several = isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)
    return ClusterAgreement(strategy) if several else ALONE


class ClusterAgreement(Agreement):
    """Decisions of all processes of a `tf.distribute.MultiWorkerMirroredStrategy`.

    Every process must call the same methods in the same order.

    Args:
        strategy: the strategy.
    """

    def __init__(self, strategy: Any) -> None:
        resolver = strategy.cluster_resolver
        self._strategy = strategy
        self.rank, self.processes = resolver.task_id, resolver.cluster_spec().num_tasks("worker")
        self._local = strategy.num_replicas_in_sync // self.processes
        self.is_chief = self.rank == 0
        self._called: set[str] = set()
        signature = [tf.TensorSpec([None], tf.float64)]
        self._sum = tf.function(self._sum_over_replicas, input_signature=signature, autograph=False)

    def total(self, values: NDArray[np.float64], seconds: float) -> NDArray[np.float64]:
        """Return the sums of values, (n,), over all processes; see `Agreement.total`."""
        with waiting_for_others(seconds):
            return self._reduced(tf.constant(values, tf.float64))

    def of_chief(self, values: Sequence[float]) -> list[float]:
        """Return the values of the chief, whatever those of this process are."""
        return self._summed(values if self.is_chief else [0.0] * len(values))

    def of_any(self, flags: Sequence[bool]) -> list[bool]:
        """Return for each flag whether it is set in any process."""
        return [value > 0 for value in self._summed([float(flag) for flag in flags])]

    def stepping(self) -> AbstractContextManager[None]:
        """Limit the time of a block in which all processes take steps, so that none waits without end."""
        return self._waiting("step")

    def _waiting(self, kind: str) -> AbstractContextManager[None]:
        """Limit the time of a call; the first one of its kind may take longer, because it is compiled."""
        seconds = WAIT_SECONDS if kind in self._called else FIRST_WAIT_SECONDS
        self._called.add(kind)
        return waiting_for_others(seconds)

    def _summed(self, values: Sequence[float]) -> list[float]:
        with self._waiting("sum"):
            return [float(value) for value in self._reduced(tf.constant([*values], tf.float64))]

    def _reduced(self, values: Any) -> NDArray[np.float64]:
        return np.asarray(self._strategy.experimental_local_results(self._sum(values))[0])

    def _sum_over_replicas(self, values: Any) -> Any:
        """Return the sums over all processes; of the replicas of one process only the first counts."""
        return self._strategy.run(self._sum_of_replica, args=(values,))

    def _sum_of_replica(self, values: Any) -> Any:
        context = tf.distribute.get_replica_context()
        number = tf.convert_to_tensor(context.replica_id_in_sync_group, tf.int32) % self._local
        counted = tf.where(number == 0, values, tf.zeros_like(values))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, counted)
